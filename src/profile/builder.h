/* builder.h: what profile_add gathers, for the two writers.
 *
 *   sample --> stack --> places --> (when written) locations --> lines
 *          \-> labels
 *
 * Everything is kept once and referred to by number: strings, places, stacks, samples. */
#ifndef SNAG_PROFILE_BUILDER_H
#define SNAG_PROFILE_BUILDER_H

#include "base/arena.h"
#include "base/hash_index.h"
#include "profile/profile.h"
#include "profile/strings.h"

#define TYPES_MAX 4

struct value_type {
    uint32_t type; /* strings */
    uint32_t unit;
};

/* One frame: a code address, or a name where there is none. */
struct place {
    uint64_t address; /* frame_lookup'd */
    uint32_t name;    /* string */
    bool named;
};

struct stack {
    const uint32_t *places; /* innermost first */
    size_t depth;
};

struct label {
    uint32_t key;  /* strings */
    uint32_t text; /* 0: a number */
    uint32_t unit;
    int64_t number;
};

struct sample {
    uint32_t stack;
    uint32_t label_count;
    const struct label *labels; /* by key, then value */
    int64_t values[TYPES_MAX];
};

struct profile {
    struct arena arena; /* owns all below */
    const char *name;
    const struct modules *modules;
    struct symbolizer *symbolizer;
    int error; /* the first failure, 0 while all is well */

    struct value_type types[TYPES_MAX];
    size_t type_count;
    struct value_type period_type;
    int64_t period;
    uint64_t time_ns;
    uint64_t duration_ns;
    uint32_t *comments; /* strings */
    size_t comment_count;
    size_t comment_capacity;

    struct strings strings;
    struct place *places;
    size_t place_count;
    size_t place_capacity;
    struct hash_index place_index;
    struct stack *stacks;
    size_t stack_count;
    size_t stack_capacity;
    struct hash_index stack_index;
    struct sample *samples;
    size_t sample_count;
    size_t sample_capacity;
    struct hash_index sample_index;
    struct label *scratch; /* the labels of the sample that is being added */
    size_t scratch_capacity;
};

/* The number of a string, remembering a lack of memory in the profile. */
uint32_t profile_string(struct profile *profile, const char *text);

#endif
