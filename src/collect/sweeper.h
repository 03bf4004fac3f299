/* sweeper.h: when old profiles are removed (retention.h), by a worker, and what is told of it. */
#ifndef SNAG_COLLECT_SWEEPER_H
#define SNAG_COLLECT_SWEEPER_H

#include "collect/health.h"
#include "collect/retention.h"
#include "collect/workers.h"

struct rounds;

struct sweeper {
    struct work work;           /* first */
    struct retention retention; /* while it sweeps, this and the next two are a worker's */
    int status;
    double took;
    bool is_sweeping;
    struct rounds *rounds;
    double next;          /* CLOCK_MONOTONIC */
    double next_too_much; /* when it may be told again */
    struct health health;
};

/* ROUNDS' options and store are there: a tenth of the disk follows from it. */
void sweeper_begin(struct sweeper *sweeper, struct rounds *rounds);

/* If it is time for it. */
void sweeper_look(struct sweeper *sweeper);

/* With --once: now, and it waits for it. */
void sweeper_sweep(struct sweeper *sweeper);

/* "for 7 d, or up to 25.2 GiB" */
void sweeper_limits(const struct sweeper *sweeper, char text[80]);

#endif
