/* fds_list.h: which descriptors there are, and where each leads. */
#ifndef SNAG_SOURCES_FDS_LIST_H
#define SNAG_SOURCES_FDS_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fd_dump;
struct target;

/* The directories of the thread through which the descriptors are seen. */
struct fd_place {
    int task;     /* /proc/PID, or /proc/PID/task/TID when the leader has exited; not owned */
    int owned;    /* the same, when it had to be opened; -1 */
    int fd;       /* its "fd" */
    int fdinfo;   /* its "fdinfo"; -1 when it cannot be had */
    bool is_ours; /* our own descriptors are among them: this thread has no table of its own */
};

/* Opens PLACE. 0 or a negative errno. */
int fd_place_open(struct fd_place *place, struct target *target);
void fd_place_close(struct fd_place *place);

/* Fills DUMP's list: numbers, links as targets, and what follows from a link alone. Links are
 * read until DEADLINE (CLOCK_MONOTONIC). 0 or -ENOMEM, or the errno when not even the first could
 * be had. */
int fd_list_read(struct fd_dump *dump, const struct fd_place *place, uint64_t deadline_ns);

/* How many there are now; a negative errno. */
long fd_list_count(const struct fd_place *place);

/* RLIMIT_NOFILE of the process, soft; 0 unknown. */
uint64_t fd_list_limit(const struct fd_place *place);

#endif
