/* written.h: a profile as it goes out: what is used, named, numbered, in order.
 *
 * Both writers work from this. Numbers follow from content alone: places by
 * address, then by name; samples by stack and labels; strings by strcmp. Only what a
 * sample with a value other than 0 uses is in it. */
#ifndef SNAG_PROFILE_WRITTEN_H
#define SNAG_PROFILE_WRITTEN_H

#include "profile/builder.h"

struct location;
struct module;

struct written_function {
    uint32_t name, system_name, file; /* strings */
    int start_line;
};

struct written_line {
    uint32_t function; /* index into functions */
    int line;
};

struct written_location {
    const struct place *place;
    const struct location *symbols; /* NULL where the place is a name */
    uint32_t mapping;               /* index into mappings; HASH_NONE: in no module */
    uint32_t line_count;
    struct written_line *lines; /* innermost first */
};

struct written_mapping {
    const struct module *module;
    uint32_t path, build_id; /* strings */
    bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct written {
    struct arena arena; /* owns the arrays */
    struct profile *profile;

    struct written_location *locations; /* an id is an index + 1, here and below */
    size_t location_count;
    size_t address_count;  /* of them: those with an address, which come first */
    uint32_t *location_of; /* by place: index into locations */
    struct written_function *functions;
    size_t function_count;
    size_t function_capacity;
    struct hash_index function_index;
    struct written_mapping *mappings; /* [0] is the main binary */
    size_t mapping_count;
    size_t mapping_capacity;
    uint32_t *samples; /* profile->samples in the order of writing */
    size_t sample_count;
    uint32_t *strings; /* [0] is ""; numbered by struct string.written */
    size_t string_count;
};

/* Symbolizes and orders PROFILE. 0, or a negative errno; written_free in both cases. */
int written_init(struct written *written, struct profile *profile);
void written_free(struct written *written);

#endif
