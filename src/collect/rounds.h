/* rounds.h: whose turn it is. Each target has its own moment within the interval, by a hash of it
 * and of this host, so that neither all targets are asked at once nor one by all collectors. In its
 * turn it is asked for one profile after the other; at most so many targets are at a time. */
#ifndef SNAG_COLLECT_ROUNDS_H
#define SNAG_COLLECT_ROUNDS_H

#include "collect/collect.h"
#include "collect/dial.h"
#include "collect/genuine.h"
#include "collect/health.h"
#include "collect/lines.h"
#include "collect/store.h"
#include "collect/target.h"
#include "collect/tokens.h"

#include <sys/queue.h>

struct event;
struct exchange;
struct keep;
struct push;
struct rounds;
struct workers;

struct member {
    struct target target;
    struct rounds *rounds;
    TAILQ_ENTRY(member) next; /* while it waits */
    struct event *turn;       /* NULL with --once */
    struct exchange *exchange;
    struct keep *keep; /* of what it answered; then there is no exchange */
    double due;        /* CLOCK_MONOTONIC */
    enum { MEMBER_RESTS, MEMBER_WAITS, MEMBER_IS_ASKED } state;
    char program[PROGRAM_SIZE]; /* that answered, by the first profile; "": not known */
    size_t profile;             /* which one it is asked for */
    struct outcome outcomes[COLLECT_PROFILES_MOST];
    unsigned long rounds_done;
    struct health health;
};

struct rounds {
    const struct collect_options *options;
    struct event_base *base;
    struct workers *workers;
    struct workers *workers_for_large; /* keep.h */
    struct dialler dialler;
    struct store store;
    struct tokens tokens;
    struct lines lines;
    struct push *push;                              /* NULL: nothing is pushed */
    char folders[COLLECT_PROFILES_MOST][NAME_SIZE]; /* of the profiles */
    struct member **members;                        /* sorted by target_compare */
    size_t count;
    TAILQ_HEAD(, member) waiting;
    size_t waiting_count;
    unsigned asked;
    unsigned long left_out; /* turns that were, since when, and whether it was told already */
    double left_out_since;
    bool left_out_told;
    struct health disk; /* our own */
    double disk_failed; /* when, the last time */
    uint64_t files;     /* that were written, and their bytes */
    uint64_t bytes;
    unsigned long unwritten; /* profiles that were had and could not be written */
    /* Called when nobody waits or is asked any more. */
    void (*idle)(void *user);
    void *user;
};

/* OPTIONS, base, workers, store, tokens and lines are filled in. */
void rounds_begin(struct rounds *rounds);

struct rounds_change {
    size_t added;
    size_t removed;
};

/* These are the targets from now on. Those that were before go on as they are; those that are not
 * there any more are asked no further. 0 or -ENOMEM, and then nothing has changed. */
int rounds_set_targets(struct rounds *rounds, const struct target_list *list,
                       struct rounds_change *change);

/* With --once: all wait for their turn now. */
void rounds_ask_all(struct rounds *rounds);

/* Seconds until the next turn; negative when there is none. */
double rounds_until_next(const struct rounds *rounds);

/* How many were well, and how many failed, the last time they were asked. */
void rounds_count(const struct rounds *rounds, size_t *well, size_t *failing);

void rounds_end(struct rounds *rounds);

/* For turn.c: MEMBER has been asked for all. */
void rounds_turn_ended(struct member *member);

double rounds_now(void);

#endif
