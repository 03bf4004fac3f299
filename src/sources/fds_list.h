/* fds_list.h: which descriptors there are, and where each leads. */
#ifndef SNAG_SOURCES_FDS_LIST_H
#define SNAG_SOURCES_FDS_LIST_H

#include <stddef.h>
#include <stdint.h>

struct fd_dump;
struct fd_place;

/* Fills DUMP's list: numbers, links as targets, and what follows from a link alone. Links are
 * read until DEADLINE (CLOCK_MONOTONIC). 0 or -ENOMEM, or the errno when not even the first could
 * be had. */
int fd_list_read(struct fd_dump *dump, const struct fd_place *place, uint64_t deadline_ns);

/* The same of the COUNT descriptors in FDS alone. */
int fd_list_look(struct fd_dump *dump, const struct fd_place *place, const int *fds, size_t count,
                 uint64_t deadline_ns);

#endif
