/* sample.h: running threads of another process, caught by the kernel's profiler.
 *
 * Nothing is sent to them: each is waited for until its processor's timer ticks, and
 * looked at by procfs in between, since who runs now may be blocked in a moment. */
#ifndef SNAG_CAPTURE_SAMPLE_H
#define SNAG_CAPTURE_SAMPLE_H

#include "capture/perf_watch.h"

#include <poll.h>

#define SAMPLE_WATCHES 64 /* armed at once; 4.3 MB of buffers, while a run lasts */

struct sampler {
    struct perf_rights rights;
    struct perf_watch watches[SAMPLE_WATCHES];
    size_t jobs[SAMPLE_WATCHES];          /* which job each is for */
    struct pollfd polled[SAMPLE_WATCHES]; /* as poll has left it */
    size_t count;
    size_t next;     /* the first job that was not watched yet */
    int error;       /* why no more could be armed; 0: they could */
    bool ever_armed; /* in this run */
};

struct capture;
struct capture_run;

/* Takes the jobs of RUN that wait, until all are taken, none comes any more, or the deadline.
 * Those left say why. */
void sample_waiting(struct capture *capture, struct capture_run *run);

#endif
