/* maps.h: the lines of /proc/PID/maps that matter to a table of code. */
#ifndef SNAG_MODULES_MAPS_H
#define SNAG_MODULES_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One mapping. `path` points into the text that was parsed and is not terminated. */
struct map_line {
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    uint64_t device; /* as st_dev */
    uint64_t inode;  /* 0: anonymous or special */
    bool readable;
    bool executable;
    const char *path; /* "" without */
    size_t path_length;
};

/* Parses the line at *TEXT and moves *TEXT behind it. False at the end. A
 * line that is not understood is skipped. */
bool map_line_next(const char **text, struct map_line *line);

#endif
