/* sched_clock.h: the scheduler's clocks, as CLOCK_MONOTONIC. */
#ifndef SNAG_SOURCES_SCHED_CLOCK_H
#define SNAG_SOURCES_SCHED_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target;

#define SCHED_PROCESSORS 1024

struct sched_clock {
    bool usable;
    uint64_t now_ns;  /* CLOCK_MONOTONIC when it was read */
    int64_t ahead_ns; /* of CLOCK_MONOTONIC before a task clock that has lost nothing */
    uint64_t lost_ns[SCHED_PROCESSORS]; /* that each processor's task clock has stood still */
};

/* Compares the clocks, by the calling thread's own last run. */
void sched_clock_read(struct sched_clock *clock, const struct target *target);

/* When (CLOCK_MONOTONIC) PROCESSOR's task clock showed EXEC_START_NS; false when that is
 * not known. */
bool sched_clock_time(const struct sched_clock *clock, unsigned processor, uint64_t exec_start_ns,
                      uint64_t *time_ns);

#endif
