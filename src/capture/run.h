/* run.h: one run's jobs, as capture.c hands them on to the files that do part of a run. */
#ifndef SNAG_CAPTURE_RUN_H
#define SNAG_CAPTURE_RUN_H

#include "capture/ask.h"
#include "capture/look.h"
#include "capture/sample.h"

struct capture {
    struct target *target;
    enum signal_mode mode;
    struct look look;
    struct asker asker;
    struct sampler sampler;
};

/* Looks at job INDEX from outside, and delivers it unless it runs. */
void run_look(struct capture *capture, struct capture_run *run, size_t index);

/* Hands job INDEX to whoever wanted the run; it waits no more, unless it was refused. */
void run_deliver(struct capture_run *run, size_t index, int status,
                 const struct captured *captured);

#endif
