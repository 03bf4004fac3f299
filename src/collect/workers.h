/* workers.h: a few threads for what takes long: flushing to a disk, reading what is large.
 *
 * The event loop must not wait for these: while it does, the time of all that are asked runs out.
 * Work is handed over whole; its maker looks at it again in done(). */
#ifndef SNAG_COLLECT_WORKERS_H
#define SNAG_COLLECT_WORKERS_H

#include <stdbool.h>
#include <sys/queue.h>

struct event_base;
struct workers;

struct work {
    STAILQ_ENTRY(work) next;
    void (*run)(struct work *work);  /* on one of the threads */
    void (*done)(struct work *work); /* in the event loop; from here on it is its maker's again */
    bool was_run;                    /* false: the end came before */
};

/* NULL: no memory, or no threads. */
struct workers *workers_new(struct event_base *base, unsigned threads);

/* Takes WORK, with run and done filled in; what came first begins first. */
void workers_give(struct workers *workers, struct work *work);

/* Waits for what has begun; the rest is not run. All of it is done thereafter. Takes NULL. */
void workers_free(struct workers *workers);

#endif
