/* watch.c: the monitor; see watch.h.
 *
 * A tick reads a few files and says a line. What needs a dump (deadlocks, growth) is done with
 * every tick as long as dumps take less than a hundredth of the time, else less often: watching
 * must not be what the service is slow from. */
#include "watch/watch.h"

#include "base/sink.h"
#include "reports/picture.h"
#include "reports/reports.h"
#include "sources/threads.h"
#include "stuck/stuck.h"
#include "symbolize/symbolize.h"
#include "waits/waits.h"
#include "watch/alarms.h"
#include "watch/blackbox.h"
#include "watch/counts.h"
#include "watch/growth.h"
#include "watch/lines.h"
#include "watch/series.h"
#include "watch/term.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUIET_SECONDS 10 /* between two looks when there are no lines */
#define SHARE 100        /* of the time may go into dumps: one part in so many */
#define FDS_HIGH 80      /* per cent of the limit */
#define FDS_VERY_HIGH 95
#define FDS_LOW 70 /* below this, the two above are news again */

struct watch {
    struct lab *lab;
    struct report_desk *desk;
    struct watch_options options;
    struct event *tick;
    struct event *term; /* a timer, from a SIGTERM on */
    struct blackbox *box;
    struct alarms *alarms;
    struct counts before;
    bool has_before;
    unsigned fds_said;       /* FDS_HIGH, FDS_VERY_HIGH, 0 */
    uint64_t deadlocks_said; /* of which threads, as a hash */
    uint64_t next_dump_ns;   /* CLOCK_MONOTONIC */
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void say(struct watch *watch, const char *line)
{
    watch->options.say(watch->options.user, line);
}

static void dump(struct watch *watch, const char *reason)
{
    char text[400];
    if (!watch->box)
        return;
    if (blackbox_write(watch->box, watch->lab, reason, text, sizeof text) != 0)
        say(watch, text);
    desk_used(watch->desk);
}

static void say_counts(struct watch *watch, const struct counts *now)
{
    struct sink_buffer line;
    if (watch->options.seconds == 0)
        return;
    sink_buffer_init(&line);
    line_write_counts(&line.sink, now, watch->has_before ? &watch->before : NULL);
    if (line.bytes)
        say(watch, line.bytes);
    sink_buffer_free(&line);
    watch->before = *now;
    watch->has_before = true;
}

static void look_at_fds(struct watch *watch, const struct counts *now)
{
    unsigned percent = counts_fd_percent(now);
    unsigned level = percent >= FDS_VERY_HIGH ? FDS_VERY_HIGH : percent >= FDS_HIGH ? FDS_HIGH : 0;
    if (percent < FDS_LOW)
        watch->fds_said = 0;
    if (level <= watch->fds_said)
        return;
    watch->fds_said = level;
    char text[120];
    snprintf(text, sizeof text, "%ld of %llu descriptors are open (%u %%)", now->fds,
             (unsigned long long)now->fd_limit, percent);
    say(watch, text);
    dump(watch, level == FDS_VERY_HIGH ? "fds95" : "fds80");
}

/* Which threads are in deadlocks; 0 for none. */
static uint64_t deadlocked(const struct picture *picture)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < picture->waits->cycle_count; i++)
        for (size_t j = 0; j < picture->waits->cycles[i].count; j++) {
            size_t index = picture->waits->cycles[i].threads[j];
            uint64_t tid = (uint64_t)picture->threads->threads[index].tid;
            sum += tid * UINT64_C(0x9e3779b97f4a7c15) ^ tid >> 7; /* in any order */
        }
    return sum;
}

static void say_deadlocks(struct watch *watch, const struct picture *picture)
{
    const struct stuck_facts facts = {
        .threads = picture->threads,
        .waits = picture->waits,
        .tracking = watch->lab->tracking,
        .symbolizer = watch->lab->symbolizer,
    };
    struct stuck_list *list = stuck_find(watch->lab->stuck, &facts);
    for (size_t i = 0; list && i < list->count; i++)
        if (list->findings[i].kind == FINDING_DEADLOCK)
            say(watch, list->findings[i].sentence);
    stuck_free(list);
}

static void look_at_deadlocks(struct watch *watch, const struct picture *picture)
{
    uint64_t now = deadlocked(picture);
    if (now == watch->deadlocks_said)
        return;
    watch->deadlocks_said = now;
    if (now == 0)
        return;
    say_deadlocks(watch, picture);
    dump(watch, "deadlock");
}

/* As much of the period as GROWTH_OLD_NS is of a day. */
static uint64_t old_ns(const struct watch *watch)
{
    uint64_t period = watch->options.period_seconds;
    return period ? period * 1000000000 / (UINT64_C(86400) * 1000000000 / GROWTH_OLD_NS)
                  : GROWTH_OLD_NS;
}

static void look_at_growth(struct watch *watch, const struct picture *picture,
                           const struct counts *counts)
{
    struct series *series = series_take(watch->lab, picture, counts, old_ns(watch));
    if (series &&
        alarms_look(watch->alarms, series, now_ns(), watch->options.say, watch->options.user))
        dump(watch, "growth");
    series_free(series);
}

static void look_closely(struct watch *watch, const struct counts *counts)
{
    uint64_t start = now_ns();
    struct picture *picture = NULL;
    if (start < watch->next_dump_ns)
        return;
    if (picture_take(watch->lab, false, &picture) != 0)
        return;
    look_at_deadlocks(watch, picture);
    look_at_growth(watch, picture, counts);
    picture_free(picture);
    uint64_t end = now_ns();
    watch->next_dump_ns = end + (end - start) * SHARE;
    desk_used(watch->desk);
}

static void on_tick(evutil_socket_t none, short what, void *argument)
{
    (void)none;
    (void)what;
    struct watch *watch = argument;
    struct counts now;
    counts_take(watch->lab, &now);
    say_counts(watch, &now);
    look_at_fds(watch, &now);
    look_closely(watch, &now);
    if (watch->options.term_seconds > 0)
        term_watch(watch->options.wake_signal);
}

static void on_term(evutil_socket_t none, short what, void *argument)
{
    (void)none;
    (void)what;
    struct watch *watch = argument;
    char text[120];
    snprintf(text, sizeof text, "%u s after a SIGTERM the process is still there",
             watch->options.term_seconds);
    say(watch, text);
    dump(watch, "sigterm");
}

void watch_woken(struct watch *watch)
{
    if (!watch || !term_came())
        return;
    const struct timeval time = { (time_t)watch->options.term_seconds, 0 };
    if (!evtimer_pending(watch->term, NULL))
        evtimer_add(watch->term, &time);
}

static int open_parts(struct watch *watch, struct event_base *base)
{
    unsigned seconds = watch->options.seconds ? watch->options.seconds : QUIET_SECONDS;
    const struct timeval time = { (time_t)seconds, 0 };
    watch->tick = event_new(base, -1, EV_PERSIST, on_tick, watch);
    watch->term = evtimer_new(base, on_term, watch);
    watch->alarms = alarms_new(watch->options.period_seconds);
    if (!watch->tick || !watch->term || !watch->alarms || event_add(watch->tick, &time) != 0)
        return -ENOMEM;
    return 0;
}

/* For the lab: what grows, in words. A group says where, so its total is not said beside it. */
static size_t list_growing(void *user, struct stuck_growing *list, size_t room)
{
    const struct watch *watch = user;
    size_t all;
    size_t count = 0;
    const struct watch_growth *growths = alarms_list(watch->alarms, &all);
    for (size_t i = 0; i < all && count < room; i++) {
        if (growths[i].is_in_group)
            continue;
        struct sink_buffer words;
        sink_buffer_init(&words);
        if (growths[i].is_alarm)
            watch_growth_write_verdict(&words.sink, &growths[i]);
        else
            watch_growth_write(&words.sink, &growths[i]);
        list[count].is_leak = growths[i].is_alarm;
        snprintf(list[count].sentence, sizeof list->sentence, "%s",
                 words.bytes ? words.bytes : growths[i].profile);
        sink_buffer_free(&words);
        count++;
    }
    return count;
}

int watch_start(struct watch **result, struct event_base *base, struct lab *lab,
                struct report_desk *desk, const struct watch_options *options, char *error,
                size_t size)
{
    struct watch *watch = calloc(1, sizeof *watch);
    int status = watch ? 0 : -ENOMEM;
    if (status == 0) {
        watch->lab = lab;
        watch->desk = desk;
        watch->options = *options;
        status = open_parts(watch, base);
    }
    if (status)
        snprintf(error, size, "no memory for the monitor");
    if (status == 0 && options->directory) {
        status = blackbox_open(&watch->box, options->directory);
        if (status)
            snprintf(error, size, "auto_dump_dir \"%.200s\": %s", options->directory,
                     strerror(-status));
    }
    if (status) {
        watch_stop(watch);
        return status;
    }
    if (options->term_seconds > 0 && watch->box)
        term_watch(watch->options.wake_signal);
    lab->watcher = (struct lab_watcher){ .growing = list_growing, .user = watch };
    *result = watch;
    return 0;
}

void watch_stop(struct watch *watch)
{
    if (!watch)
        return;
    if (watch->tick)
        event_free(watch->tick);
    if (watch->term)
        event_free(watch->term);
    watch->lab->watcher = (struct lab_watcher){ .growing = NULL };
    alarms_free(watch->alarms);
    blackbox_close(watch->box);
    free(watch);
}

const struct watch_growth *watch_growing(const struct watch *watch, size_t *count)
{
    *count = 0;
    return watch ? alarms_list(watch->alarms, count) : NULL;
}
