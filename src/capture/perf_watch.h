/* perf_watch.h: one running thread's next timer tick, waited for.
 *
 * The kernel's profiler (perf_event_open) can copy, in the tick that interrupts a
 * thread anyhow, the thread's user registers and its stack: one moment, every register, and the
 * thread is neither signalled nor stopped. A watch is one such event of one
 * thread, armed for one sample, with a buffer of its own that holds just that. */
#ifndef SNAG_CAPTURE_PERF_WATCH_H
#define SNAG_CAPTURE_PERF_WATCH_H

#include "capture/capture.h"

struct perf_watch {
    int fd; /* poll: readable when there is a sample, hung up when the thread is gone */
    pid_t tid;
    unsigned char *ring; /* the kernel's header page and, from the next page on, the data */
};

/* What this process may do, as found so far; all zero to begin with. */
struct perf_rights {
    bool user_only; /* ticks that hit the thread in the kernel are not for us */
};

/* Arms WATCH for TID. 0; -ESRCH: there is no such thread; or another negative errno: -EACCES or
 * -EPERM not allowed, -ENOSYS not here, -EMFILE, -ENFILE, -ENOMEM no room. */
int perf_watch_open(struct perf_watch *watch, struct perf_rights *rights, pid_t tid);
void perf_watch_close(struct perf_watch *watch);

/* True when the sample has come: OUT is filled in, its stack valid until WATCH is closed. */
bool perf_watch_take(const struct perf_watch *watch, struct captured *out);

#endif
