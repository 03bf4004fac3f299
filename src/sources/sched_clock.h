/* sched_clock.h: the scheduler's clocks, as CLOCK_MONOTONIC. */
#ifndef SNAG_SOURCES_SCHED_CLOCK_H
#define SNAG_SOURCES_SCHED_CLOCK_H

#include "sources/processor_losses.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target;

/* One processor's task clock, as it was compared last. */
struct task_clock {
    bool compared;
    bool tried;       /* since sched_clock_begin */
    int64_t ahead_ns; /* of CLOCK_MONOTONIC before it */
    uint64_t lost_ns; /* by the processor, until then */
};

struct sched_clock { /* all zero before the first use */
    const struct target *target;
    bool begun;             /* the own processor was compared in this dump */
    unsigned own;           /* that processor */
    bool counts_interrupts; /* they are lost time here, too */
    bool away;              /* the calling thread was moved from where it may run */
    cpu_set_t home;         /* that is here */
    struct processor_losses losses;
    struct task_clock clocks[PROCESSORS_MAX];
};

/* To be called at the beginning and at the end of a dump. */
void sched_clock_begin(struct sched_clock *clock, const struct target *target);
void sched_clock_end(struct sched_clock *clock);

/* When (CLOCK_MONOTONIC) PROCESSOR's task clock showed EXEC_START_NS; false when that is
 * not known well enough. May move the calling thread to that processor for a moment. */
bool sched_clock_time(struct sched_clock *clock, unsigned processor, uint64_t exec_start_ns,
                      uint64_t *time_ns);

#endif
