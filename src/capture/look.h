/* look.h: one thread, taken from outside and alone. */
#ifndef SNAG_CAPTURE_LOOK_H
#define SNAG_CAPTURE_LOOK_H

#include "capture/capture.h"
#include "capture/descriptors.h"
#include "capture/procfs.h"
#include "capture/stack_copy.h"

struct look {
    struct target *target;
    struct descriptors descriptors;
    enum counters counters;
    struct stack_buffer buffer;
    const char *hidden; /* why registers cannot be read; NULL while they can */
};

/* Returns 0 and fills OUT, -ESRCH when the thread is gone, or LOOK_RUNNING: it runs, or its
 * registers are hidden. OUT then is partial and says why. */
#define LOOK_RUNNING 1
int look_at(struct look *look, pid_t tid, struct thread_files *files, struct captured *out);

#endif
