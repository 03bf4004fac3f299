/* descriptors.h: procfs files of threads, within the limit of descriptors.
 *
 * A kept descriptor makes asking again four times cheaper, and answers ESRCH
 * for ever once its thread is gone. But the limit counts for the listener
 * as well: at most half of it is used, 64 are left free, and all that are kept
 * are given up at once when an open fails for want of one. */
#ifndef SNAG_CAPTURE_DESCRIPTORS_H
#define SNAG_CAPTURE_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target;

struct descriptors {
    int task_fd;
    bool shared;     /* the table is the service's too: keep none */
    unsigned epoch;  /* what was kept under another one is closed */
    unsigned count;  /* kept now */
    uint64_t limit;  /* RLIMIT_NOFILE, soft, as read last */
    uint64_t *kept;  /* a bit for each descriptor number */
    size_t capacity; /* bits in it */
};

void descriptors_init(struct descriptors *descriptors, const struct target *target);
void descriptors_free(struct descriptors *descriptors);

/* Reads the limit again, and gives up what is above it. */
void descriptors_refresh(struct descriptors *descriptors);

/* Opens TID/NAME for reading. The descriptor, -ESRCH when there is no such
 * thread, or a negative errno (-ENOENT: the thread has no such file). */
int descriptors_open(struct descriptors *descriptors, pid_t tid, const char *name);

/* Takes FD for keeping; false when that would be too many, FD being the caller's still. */
bool descriptors_keep(struct descriptors *descriptors, int fd);

/* Closes FD, one that is kept. */
void descriptors_close(struct descriptors *descriptors, int fd);

/* Closes all that are kept and begins a new epoch. */
void descriptors_drop(struct descriptors *descriptors);

#endif
