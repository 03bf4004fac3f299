/* fds_details.c: fdinfo's own lines for each kind, in words; see fds_details.h.
 *
 * A table of kinds. What is not in it is shown as the kernel writes it, line by line: a
 * kind that is new tomorrow still says something. */
#include "sources/fds_details.h"

#include "base/sink.h"
#include "base/target.h"
#include "sources/fds.h"
#include "sources/fds_info.h"
#include "sources/fds_kinds.h"
#include "sources/fds_place.h"
#include "sources/fds_signals.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define WATCHED_SHOWN 256u
#define LINES_SHOWN 40u

struct detail {
    struct fd_dump *dump;
    struct descriptor *descriptor;
    const struct fd_place *place;
    const char *rest;
    struct sink_buffer *text;
};

__attribute__((format(printf, 2, 3))) static void set_target(struct detail *detail,
                                                             const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *copy = arena_strdup(&detail->dump->arena, text);
    if (copy)
        detail->descriptor->target = copy;
}

static void write_events(struct sink *sink, uint64_t events)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } names[] = {
        { EPOLLIN, "IN" },
        { EPOLLPRI, "PRI" },
        { EPOLLOUT, "OUT" },
        { EPOLLRDHUP, "RDHUP" },
        { EPOLLEXCLUSIVE, "EXCLUSIVE" },
        { EPOLLWAKEUP, "WAKEUP" },
        { EPOLLONESHOT, "ONESHOT" },
        { EPOLLET, "ET" },
    };
    const char *before = " ";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(events & names[i].bit))
            continue;
        sink_printf(sink, "%s%s", before, names[i].name);
        before = "|";
    }
}

/* The number under which a file was added need not lead to it any more: a copy of the descriptor
 * keeps the file open, and the epoll watching it. */
static void write_watched(struct detail *detail, int fd, uint64_t events, uint64_t inode)
{
    struct sink *sink = &detail->text->sink;
    const struct descriptor *watched = fd_dump_find(detail->dump, fd);
    sink_printf(sink, "%sfd %d", detail->text->length > 0 ? ", " : "watches ", fd);
    if (!watched || (watched->inode && inode && watched->inode != inode))
        sink_puts(sink, " (closed; a copy of it is open)");
    else
        sink_printf(sink, " %s", watched->kind);
    write_events(sink, events);
}

/* "tfd:        8 events:       19 data:     7f5c00000008  pos:0 ino:2ad8e sdev:f", in hex but
 * for the first. */
static void tell_epoll(struct detail *detail)
{
    size_t count = 0;
    detail->descriptor->watched = fd_info_lines(detail->rest, "tfd:");
    set_target(detail, "watches %zu descriptor%s", detail->descriptor->watched,
               detail->descriptor->watched == 1 ? "" : "s");
    if (!detail->dump->with_details)
        return;
    for (const char *line = detail->rest; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "tfd:", 4) != 0 || ++count > WATCHED_SHOWN)
            continue;
        const char *fd = line + 4 + strspn(line + 4, " ");
        const char *events = strstr(line, "events:");
        const char *inode = strstr(line, "ino:");
        const char *end = strchr(line, '\n');
        if (!events || (end && events > end))
            continue;
        events += 7 + strspn(events + 7, " ");
        inode = inode && (!end || inode < end) ? inode + 4 : "";
        write_watched(detail, (int)fd_info_number(&fd, 10), fd_info_number(&events, 16),
                      fd_info_number(&inode, 16));
    }
    if (count > WATCHED_SHOWN)
        sink_printf(&detail->text->sink, " and %zu more", count - (size_t)WATCHED_SHOWN);
    if (count == 0)
        sink_puts(&detail->text->sink, "watches nothing");
}

static uint64_t value_of(const struct detail *detail, const char *key, unsigned base)
{
    const char *value = fd_info_value(detail->rest, key);
    return value ? fd_info_number(&value, base) : 0;
}

static void tell_eventfd(struct detail *detail)
{
    struct sink *sink = &detail->text->sink;
    sink_printf(sink, "count %" PRIu64, value_of(detail, "eventfd-count", 16));
    if (value_of(detail, "eventfd-semaphore", 10))
        sink_puts(sink, ", a semaphore");
}

/* "(9, 995823390)": seconds and nanoseconds. */
static uint64_t time_of(const struct detail *detail, const char *key)
{
    const char *value = fd_info_value(detail->rest, key);
    if (!value || *value++ != '(')
        return 0;
    uint64_t seconds = fd_info_number(&value, 10);
    value += strspn(value, ", ");
    return seconds * 1000000000 + fd_info_number(&value, 10);
}

static void tell_timerfd(struct detail *detail)
{
    static const char *const clocks[] = {
        [0] = "CLOCK_REALTIME",       [1] = "CLOCK_MONOTONIC",      [7] = "CLOCK_BOOTTIME",
        [8] = "CLOCK_REALTIME_ALARM", [9] = "CLOCK_BOOTTIME_ALARM",
    };
    struct sink *sink = &detail->text->sink;
    uint64_t clock = value_of(detail, "clockid", 10);
    uint64_t ticks = value_of(detail, "ticks", 10);
    uint64_t left = time_of(detail, "it_value");
    uint64_t interval = time_of(detail, "it_interval");
    if (clock < sizeof clocks / sizeof *clocks && clocks[clock])
        sink_puts(sink, clocks[clock]);
    else
        sink_printf(sink, "clock %" PRIu64, clock);
    if (left == 0) {
        sink_puts(sink, ", not set");
    } else {
        sink_puts(sink, ", expires in ");
        sink_duration(sink, left);
    }
    if (interval > 0) {
        sink_puts(sink, ", every ");
        sink_duration(sink, interval);
    }
    if (ticks > 0)
        sink_printf(sink, ", expired %" PRIu64 " time%s and was not read", ticks,
                    ticks == 1 ? "" : "s");
}

static void tell_signalfd(struct detail *detail)
{
    char text[1024];
    signal_set_words(text, sizeof text, value_of(detail, "sigmask", 16));
    sink_puts(&detail->text->sink, text[0] ? text : "no signal");
}

static void tell_inotify(struct detail *detail)
{
    size_t count = fd_info_lines(detail->rest, "inotify wd:");
    sink_printf(&detail->text->sink, "%zu watch%s", count, count == 1 ? "" : "es");
}

static void tell_fanotify(struct detail *detail)
{
    size_t count = fd_info_lines(detail->rest, "fanotify ino:") +
                   fd_info_lines(detail->rest, "fanotify mnt_id:") +
                   fd_info_lines(detail->rest, "fanotify sdev:");
    sink_printf(&detail->text->sink, "%zu mark%s", count, count == 1 ? "" : "s");
}

/* Names the process, which may not be the one that is looked at. Its number is -1 when it has
 * been waited for, and 0 when it is in another pid namespace. */
static void tell_pidfd(struct detail *detail)
{
    char path[48];
    char name[64];
    const char *value = fd_info_value(detail->rest, "Pid");
    if (!value)
        return;
    uint64_t pid = fd_info_number(&value, 10);
    snprintf(path, sizeof path, "%s/%" PRIu64 "/comm",
             detail->place->owned >= 0 ? "../../.." : "..", pid);
    if (*value == '-')
        set_target(detail, "process that has ended and was waited for");
    else if (pid == 0)
        set_target(detail, "process of another pid namespace");
    else if (proc_read(detail->place->task, path, name, sizeof name) > 0)
        set_target(detail, "process %" PRIu64 " (%.*s)", pid, (int)strcspn(name, "\n"), name);
    else
        set_target(detail, "process %" PRIu64, pid);
}

/* "key:\tvalue" a line, as it is. */
static void tell_as_it_is(struct detail *detail)
{
    struct sink *sink = &detail->text->sink;
    size_t count = 0;
    for (const char *line = detail->rest; *line && count < LINES_SHOWN; count++) {
        size_t length = strcspn(line, "\n");
        size_t key = strcspn(line, ":\n");
        sink_puts(sink, count ? ", " : "");
        if (key < length) {
            const char *value = line + key + 1;
            value += strspn(value, " \t");
            sink_write(sink, line, key);
            if (value < line + length)
                sink_puts(sink, " ");
            sink_write(sink, value, value < line + length ? (size_t)(line + length - value) : 0);
        } else {
            sink_write(sink, line, length);
        }
        line += length + (line[length] == '\n');
    }
}

static const struct {
    const char *kind;
    void (*tell)(struct detail *detail);
} tellers[] = {
    { kind_epoll, tell_epoll },     { kind_eventfd, tell_eventfd },
    { kind_timerfd, tell_timerfd }, { kind_signalfd, tell_signalfd },
    { kind_inotify, tell_inotify }, { kind_fanotify, tell_fanotify },
    { kind_pidfd, tell_pidfd },     { kind_io_uring, tell_as_it_is },
    { kind_anon, tell_as_it_is },   { kind_device, tell_as_it_is },
};

void fd_details_take(struct fd_dump *dump, struct descriptor *descriptor,
                     const struct fd_info *info, const struct fd_place *place,
                     struct sink_buffer *text)
{
    struct detail detail = { dump, descriptor, place, info->rest, text };
    size_t i = 0;
    while (i < sizeof tellers / sizeof *tellers && tellers[i].kind != descriptor->kind)
        i++;
    if (i == sizeof tellers / sizeof *tellers)
        return;
    text->length = 0;
    text->sink.error = 0;
    tellers[i].tell(&detail);
    if (text->length > 0 && !text->sink.error)
        descriptor->detail = arena_strndup(&dump->arena, text->bytes, text->length);
}
