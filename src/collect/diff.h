/* diff.h: `snag collect diff A B`: what came and what went between two profiles. */
#ifndef SNAG_COLLECT_DIFF_H
#define SNAG_COLLECT_DIFF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct merge;
struct sink;

/* ARGUMENTS begin behind "diff" and end with NULL (cli/collect_diff.c). The exit status: 0, with
 * --exit-code 1 when something has grown; 1 as well when a file cannot be read, 2 for misuse. */
int collect_diff(char **arguments);

/* diff_files.c: the profile that PATH stands for: the file itself; of a directory, as `snag
 * collect` fills it, the oldest or the newest. 0; or a negative errno and one line in WHY. */
enum diff_end { DIFF_OLDEST, DIFF_NEWEST };
int diff_find_file(const char *path, enum diff_end end, char file[PATH_MAX], char *why,
                   size_t size);

/* diff_table.c: for reading. */
struct diff_table {
    const struct merge *merge;
    size_t type;                   /* which of its types is counted */
    uint64_t minimum;              /* rows that changed by less are left out; at least 1 */
    size_t rows;                   /* of each direction; 0: all */
    int64_t time_before, time_now; /* ns since the epoch, 0: not known */
};

/* 0 or -ENOMEM. *GROWN is how many stacks have grown by the minimum or more. */
int diff_table_write(const struct diff_table *table, struct sink *sink, size_t *grown);

#endif
