/* present.h: the threads and descriptors that there are now, without the engine.
 *
 * What a leak check compares. Two directories and a line per thread are read by
 * system calls of our own: nothing is recorded by libsnag-track, and descriptors that the reading
 * itself needs are not listed. */
#ifndef SNAG_API_PRESENT_H
#define SNAG_API_PRESENT_H

#include "leak/seam.h"

struct present {
    struct leak_thread *threads; /* by ascending tid */
    size_t thread_count;
    struct leak_fd *fds; /* by ascending fd */
    size_t fd_count;
};

/* 0, or a negative errno and nothing to free. */
int present_take(struct present *present);
void present_free(struct present *present);

#endif
