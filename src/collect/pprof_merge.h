/* pprof_merge.h: two profiles as one, by the rules of Go's profile.Merge.
 *
 *   sample --> locations --> mapping
 *          \             \-> lines --> function
 *           \-> labels
 *
 * What is equal is kept once and referred to by number. A mapping is known by its build id (or
 * file), offset and size, so that a process that was started again, at other addresses, is the
 * same; an address counts from where its mapping begins. */
#ifndef SNAG_COLLECT_PPROF_MERGE_H
#define SNAG_COLLECT_PPROF_MERGE_H

#include "base/arena.h"
#include "base/hash_index.h"
#include "collect/pprof.h"
#include "profile/strings.h"

#include <stdbool.h>

struct sink;

#define NOTHING UINT32_MAX /* no mapping, no function */

struct merged_type {
    uint32_t type; /* strings */
    uint32_t unit;
};

struct merged_mapping {
    uint64_t start, limit, offset;
    uint32_t file; /* strings */
    uint32_t build_id;
    bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct merged_function {
    int64_t start_line;
    uint32_t name; /* strings */
    uint32_t system_name;
    uint32_t filename;
    uint32_t unused; /* no padding: it is compared as bytes */
};

struct merged_line {
    int64_t line, column;
    uint64_t function; /* or NOTHING */
};

struct merged_location {
    uint64_t address;
    const struct merged_line *lines;
    size_t line_count;
    uint32_t mapping; /* or NOTHING */
    bool is_folded;
};

struct merged_label {
    int64_t number;
    uint32_t key;  /* strings */
    uint32_t text; /* 0: a number */
    uint32_t unit;
    uint32_t order; /* while they are sorted; then 0 */
};

struct merged_sample {
    const uint32_t *locations; /* innermost first */
    size_t depth;
    const struct merged_label *labels; /* texts before numbers, each by key */
    size_t label_count;
    int64_t *before; /* one for each type; what was merged with `is_base` */
    int64_t *now;
};

struct merge {
    struct arena arena; /* owns all below */
    struct strings strings;
    bool no_memory; /* for a string or a mapping, some time */
    struct merged_type *types;
    size_t type_count;
    struct merged_type period_type;
    uint32_t drop_frames, keep_frames, default_type, doc_url;
    int64_t time_ns, duration_ns, period;
    uint32_t *comments;
    size_t comment_count, comment_capacity;

    struct merged_mapping *mappings;
    size_t mapping_count, mapping_capacity;
    struct hash_index mapping_index;
    struct merged_function *functions;
    size_t function_count, function_capacity;
    struct hash_index function_index;
    struct merged_location *locations;
    size_t location_count, location_capacity;
    struct hash_index location_index;
    struct merged_sample *samples;
    size_t sample_count, sample_capacity;
    struct hash_index sample_index;
};

/* 0 or -ENOMEM; to be freed either way. */
int merge_begin(struct merge *merge);

/* Adds PROFILE, with its values negated when IS_BASE. The first one sets the types. 0; -EINVAL when
 * the types of this one are others, with one line in WHY; -ENOMEM. */
int merge_add(struct merge *merge, const struct pprof *profile, bool is_base, char *why,
              size_t size);

/* What a value has grown by; wraps as Go's does. */
int64_t merge_growth(const struct merged_sample *sample, size_t type);
bool merge_is_zero(const struct merge *merge, const struct merged_sample *sample);

/* The text of a string. */
const char *merge_text(const struct merge *merge, uint32_t string);

/* pprof_write.c: gzip'd protobuf; samples that are 0 and what only they refer to are left out. 0,
 * -ENOMEM or the sink's error. */
int merge_write(struct merge *merge, struct sink *sink);

void merge_free(struct merge *merge);

/* pprof_merge.c, for pprof_header.c: what merge_add() adds beside the header; and one string. */
int merge_add_samples(struct merge *merge, const struct pprof *pprof, bool is_base);
uint32_t merge_string(struct merge *merge, const char *text);

#endif
