/* watch.h: the monitor: looks at the process by itself, from time to time.
 *
 *     watch.c      the time of things
 *     counts.c     how many of everything there are
 *     lines.c      what is said of them
 *     growth.c     what tells a leak from a busy hour
 *     blackbox.c   all profiles into a directory
 *     term.c       that a SIGTERM came
 *
 * Off unless asked for; then the engine's thread wakes up every so many seconds. */
#ifndef SNAG_WATCH_WATCH_H
#define SNAG_WATCH_WATCH_H

#include <stddef.h>

struct event_base;
struct lab;
struct report_desk;
struct watch;

struct watch_options {
    unsigned seconds;      /* between two lines; 0: no lines, and a look every 10 s */
    unsigned term_seconds; /* from a SIGTERM to a dump; 0: none */
    int wake_signal;       /* to the calling thread: watch_woken is to be called */
    const char *directory; /* for dumps; NULL: none */
    void (*say)(void *user, const char *line);
    void *user;
};

/* Watches in BASE's loop. 0, or a negative errno and one line in ERROR. */
int watch_start(struct watch **watch, struct event_base *base, struct lab *lab,
                struct report_desk *desk, const struct watch_options *options, char *error,
                size_t size);
void watch_stop(struct watch *watch);

/* Something woke the engine: perhaps a SIGTERM came. */
void watch_woken(struct watch *watch);

#endif
