/* growth.h: tells what leaks from what is busy, by watching counts for long.
 *
 * At each tick the monitor hands in the value of every series: totals (threads, descriptors, an
 * inventory), and groups within a profile (the handles of one stack, the threads blocked in one
 * place). A group that is not handed in is at 0. Kept of each series are its floors: the lowest
 * value of each stretch of time, on four scales from seconds to a week. A load goes up and comes
 * down again, and leaves the floors where they were; a leak lifts them for ever.
 *
 * What is told, and by which rule, is in growth_rules.c and docs/growth.md. Nothing here knows
 * of clocks, profiles or stacks: time and numbers come in, findings go out. One thread. */
#ifndef SNAG_WATCH_GROWTH_H
#define SNAG_WATCH_GROWTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROWTH_UNKNOWN UINT64_MAX

/* From this age on something counts as old: longer than requests, long polls and the time-outs
 * of idle connections take. What is busy is young; what leaks becomes old (Little: as many are
 * in work as come in a lifetime, so more work means more young ones). */
#define GROWTH_OLD_NS (UINT64_C(600) * 1000000000)

#define GROWTH_SERIES_MAX 2000

struct growth;

/* Starts as zeros; 0 means the default. */
struct growth_options {
    size_t size;        /* of this struct */
    uint64_t period_ns; /* in which a load, a cache or a pool has been seen whole; a day. Growth
                           that is younger, in a process that is younger, is no alarm but near a
                           limit: nothing but time tells it from what fills up and then stays. All
                           other times are parts of it, so that a test can be as short as it is. */
    size_t series_max;  /* kept at once; GROWTH_SERIES_MAX. About 470 bytes each. */
};

/* OPTIONS may be NULL. NULL without memory. */
struct growth *growth_new(const struct growth_options *options);
void growth_free(struct growth *growth);

/* One series at this tick. */
struct growth_sample {
    uint32_t profile; /* the caller's number */
    uint64_t key;     /* of the group, e.g. the hash of its stack; 0: the profile's total */
    uint64_t value;
    uint64_t old;   /* how many of them are older than GROWTH_OLD_NS: exist, or have been blocked
                       right there, for longer; or GROWTH_UNKNOWN. Where that changes, the series
                       begins anew. */
    uint64_t limit; /* where the service ends, e.g. RLIMIT_NOFILE; GROWTH_UNKNOWN */
};

/* A tick: begin, every series once in any order, end. NOW_NS is CLOCK_MONOTONIC. Ticks may be
 * 1 second to 1 hour apart, and late. After the first tick, growth_value takes no memory. */
void growth_begin_tick(struct growth *growth, uint64_t now_ns);
void growth_value(struct growth *growth, const struct growth_sample *sample);
void growth_end_tick(struct growth *growth);

enum growth_level {
    GROWTH_POSSIBLE, /* rises steadily; may be a warm-up or a busy hour: to show, not to alarm */
    GROWTH_ALARM,    /* grows as no load does */
    GROWTH_STOPPED   /* was an alarm and has ended; told in one tick */
};

/* Why it is told. */
enum growth_reason {
    GROWTH_RISES, /* GROWTH_POSSIBLE: the floors rise, no more is known */
    GROWTH_LIMIT, /* above two thirds of the limit, and there within the hour */
    GROWTH_OLDER, /* more and more old ones, in every quarter of a whole period */
    GROWTH_LEVEL, /* far above all that was seen before, and rising on */
    GROWTH_DAILY, /* higher each period than in the one before, at every hour of it */
    GROWTH_REASONS
};

struct growth_finding {
    uint32_t profile;
    uint64_t key; /* as in the sample */
    enum growth_level level;
    enum growth_reason reason;
    bool is_new;         /* to be logged: the first alarm, one at a doubling of the growth, or an
                            end; true in one tick */
    unsigned told;       /* alarms so far for this growth, this one included */
    uint64_t since_ns;   /* NOW_NS when it began to rise, as far as is remembered */
    uint64_t from;       /* the floor then ... */
    uint64_t now;        /* ... and now. Of old ones where `old` is known. */
    uint64_t value;      /* all of them now */
    double per_hour;     /* Sen's slope of the floors: the median of the slopes of all pairs */
    unsigned steadiness; /* Kendall's tau in per cent: 100 when each floor is above all before */
    uint64_t limit_ns;   /* until the limit is reached at that pace; GROWTH_UNKNOWN */
};

/* Writes up to ROOM findings as of the last tick, alarms first, then by growth. Returns how
 * many. Where a total and a group of it grow both, both are told. */
size_t growth_findings(const struct growth *growth, struct growth_finding *list, size_t room);

/* "rises", "limit", "older", "level", "daily": for scripts; and as a clause, e.g. "its old ones
 * become more all around the clock". */
const char *growth_reason_word(enum growth_reason reason);
const char *growth_reason_words(enum growth_reason reason);

/* Series kept now, how many were dropped in all to make room for more interesting ones, and how
 * many groups of the last tick found no room. */
size_t growth_series(const struct growth *growth);
uint64_t growth_dropped(const struct growth *growth);
size_t growth_refused(const struct growth *growth);

/* Bytes taken. */
size_t growth_memory(const struct growth *growth);

#endif
