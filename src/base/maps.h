/* maps.h: /proc/PID/maps, a line at a time, or one mapping that was asked for. */
#ifndef SNAG_BASE_MAPS_H
#define SNAG_BASE_MAPS_H

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
    bool writable;
    bool executable;
    const char *path; /* "" without */
    size_t path_length;
};

/* Parses the line at *TEXT and moves *TEXT behind it. False at the end. A
 * line that is not understood is skipped. */
bool map_line_next(const char **text, struct map_line *line);

/* What the kernel tells of one mapping (PROCMAP_QUERY, Linux 6.11): struct procmap_query and its
 * flags, as include/uapi/linux/fs.h has them, which the headers of Debian 12 do not know yet. */
struct map_query {
    uint64_t size;
    uint64_t query_flags;
    uint64_t query_addr;
    uint64_t vma_start;
    uint64_t vma_end;
    uint64_t vma_flags;
    uint64_t vma_page_size;
    uint64_t vma_offset;
    uint64_t inode;
    uint32_t dev_major;
    uint32_t dev_minor;
    uint32_t vma_name_size;
    uint32_t build_id_size;
    uint64_t vma_name_addr;
    uint64_t build_id_addr;
};

#define MAP_QUERY_READABLE 0x01
#define MAP_QUERY_EXECUTABLE 0x04
#define MAP_QUERY_COVERING_OR_NEXT 0x10

/* Asks the open maps file FD. 0, or a negative errno: -ENOENT there is no such mapping, -ENOTTY
 * the kernel does not answer such questions. */
int map_query(int fd, struct map_query *query);

#endif
