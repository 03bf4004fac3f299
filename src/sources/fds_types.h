/* fds_types.h: whether a path is a file, a directory, a FIFO or a device. */
#ifndef SNAG_SOURCES_FDS_TYPES_H
#define SNAG_SOURCES_FDS_TYPES_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct descriptor;
struct fd_info;
struct fd_place;
struct local_mounts;

/* The mounts of PLACE's thread whose file systems answer from memory, read when they are first
 * needed. NULL without memory. */
struct local_mounts *local_mounts_new(struct arena *arena, const struct fd_place *place);

/* Sets DESCRIPTOR's kind by its type, if the file system that INFO names may be asked; the
 * flags in INFO tell a directory in any case. */
void fd_type_find(struct descriptor *descriptor, const struct fd_info *info,
                  struct local_mounts *mounts);

/* Sets DESCRIPTOR's kind to that of OTHER, which has the same path. */
void fd_type_copy(struct descriptor *descriptor, const struct descriptor *other);

#endif
