/* fds_place.h: where the descriptors of a process are to be seen. */
#ifndef SNAG_SOURCES_FDS_PLACE_H
#define SNAG_SOURCES_FDS_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* How many there are now; a negative errno. */
long fd_place_count(const struct fd_place *place);

/* Room for how many will be enough, most likely. */
size_t fd_place_size(const struct fd_place *place);

/* RLIMIT_NOFILE of the process, soft; 0 unknown. */
uint64_t fd_place_limit(const struct fd_place *place);

#endif
