/* diff.h: `snag collect diff A B`: what came and what went between two profiles. */
#ifndef SNAG_COLLECT_DIFF_H
#define SNAG_COLLECT_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct merge;
struct sink;

/* ARGUMENTS begin behind "diff" and end with NULL (cli/collect_diff.c). The exit status: 0, with
 * --exit-code 1 when something has grown; 1 as well when a file cannot be read, 2 for misuse. */
int collect_diff(char **arguments);

/* diff_files.c: which files are compared. */
struct diff_pair {
    char *before;
    char *now;
};

struct diff_pairs {
    struct diff_pair *at;
    size_t count;
};

/* 0 or -ENOMEM. */
int diff_pairs_add(struct diff_pairs *pairs, const char *before, const char *now);

/* Of a directory as `snag collect` fills it, for each instance the oldest and the newest; the same
 * file where it has only one. 0; -ENOTDIR or another negative errno. */
int diff_pairs_read(struct diff_pairs *pairs, const char *directory);

bool diff_pair_is_one(const struct diff_pair *pair);

void diff_pairs_free(struct diff_pairs *pairs);

/* diff_table.c: for reading. */
struct diff_table {
    const struct merge *merge;
    size_t type;                   /* which of its types is counted */
    uint64_t minimum;              /* rows that changed by less are left out; at least 1 */
    size_t rows;                   /* of each direction; 0: all */
    size_t instances;              /* that were compared, each with itself */
    int64_t time_before, time_now; /* ns since the epoch, 0: not known */
};

/* 0 or -ENOMEM. *GROWN is how many stacks have grown by the minimum or more. */
int diff_table_write(const struct diff_table *table, struct sink *sink, size_t *grown);

#endif
