/* watch.h: the monitor: looks at the process by itself, from time to time.
 *
 *     watch.c      the time of things
 *     counts.c     how many of everything there are
 *     lines.c      what is said of them
 *     series.c     the same by stack and opener, for
 *     growth.c     what tells a leak from a busy hour
 *     alarms.c     what grows, in words
 *     blackbox.c   all profiles into a directory
 *     term.c       that a SIGTERM came
 *
 * Off unless asked for; then the engine's thread wakes up every so many seconds. */
#ifndef SNAG_WATCH_WATCH_H
#define SNAG_WATCH_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct lab;
struct report_desk;
struct sink;
struct watch;

struct watch_options {
    unsigned seconds;        /* between two lines; 0: no lines, and a look every 10 s */
    unsigned period_seconds; /* in which the load comes round; 0: a day */
    unsigned term_seconds;   /* from a SIGTERM to a dump; 0: none */
    int wake_signal;         /* to the calling thread: watch_woken is to be called */
    const char *directory;   /* for dumps; NULL: none */
    void (*say)(void *user, const char *line);
    void *user;
};

/* Watches in BASE's loop. 0, or a negative errno and one line in ERROR. */
int watch_start(struct watch **watch, struct event_base *base, struct lab *lab,
                struct report_desk *desk, const struct watch_options *options, char *error,
                size_t size);
void watch_stop(struct watch *watch);

/* Something that grows steadily. */
struct watch_growth {
    bool is_alarm;    /* as no load does; else it may be a busy hour */
    bool is_in_group; /* a total, of which a group in the list says more */
    uint64_t key;     /* of the group; 0: the total */
    char profile[80]; /* "threads", "descriptors", an inventory */
    char place[200];  /* "held by fetch_user() in client.c:88"; "" for the total */
    uint64_t value;   /* now, all of them ... */
    uint64_t from;    /* ... and those that count: when it began, and now */
    uint64_t now;
    uint64_t for_ns;
    double per_hour;
    const char *why; /* a constant */
};

/* As of the last look, alarms first; nothing where WATCH is NULL. Valid until the next turn of the
 * loop. */
const struct watch_growth *watch_growing(const struct watch *watch, size_t *count);

/* "http.responses held by fetch_user() in client.c:88: 310, grown from 12 to 300 in 3 h (+96 an
 * hour)" */
void watch_growth_write(struct sink *sink, const struct watch_growth *growth);

/* The same, and why it counts: "...: a leak, as its old ones become more all around the clock". */
void watch_growth_write_verdict(struct sink *sink, const struct watch_growth *growth);

/* Something woke the engine: perhaps a SIGTERM came. */
void watch_woken(struct watch *watch);

#endif
