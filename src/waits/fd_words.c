/* fd_words.c: the descriptors that are waited for, in words.
 *
 * The text is the same for descriptors that are the same to a reader: a connection is
 * named by its peer and state, not by its own port; one that came in through a port that we
 * listen on by that port and the peer's host. The detail has everything. */
#include "waits/finder.h"

#include "base/sink.h"
#include "sources/fds.h"
#include "sources/threads.h"
#include "waits/place_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_FDS 8 /* of a set, in the detail */

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

static const char *internet_text(struct finder *finder, const struct descriptor *descriptor)
{
    const char *kind = descriptor->kind;
    const char *state = descriptor->state ? descriptor->state : "";
    const char *space = descriptor->state ? " " : "";
    const char *peer = descriptor->peer;
    if (!peer)
        return finder_text(finder, "%s %s%s%s", kind, descriptor->local ? descriptor->local : "",
                           space, state);
    if (!descriptor->accepted)
        return finder_text(finder, "%s %s%s%s", kind, peer, space, state);
    const char *port = strrchr(peer, ':');
    int host = (int)(port ? (size_t)(port - peer) : strlen(peer));
    return finder_text(finder, "%s %s from %.*s%s%s", kind, descriptor->local, host, peer, space,
                       state);
}

static const char *unix_text(struct finder *finder, const struct descriptor *descriptor)
{
    const char *name = descriptor->peer ? descriptor->peer : descriptor->local;
    bool shows_state = descriptor->state && strcmp(descriptor->state, "CONNECTED") != 0;
    return finder_text(finder, "unix%s%s%s%s", name ? " " : "", name ? name : "",
                       shows_state ? " " : "", shows_state ? descriptor->state : "");
}

static const char *fd_text(struct finder *finder, int fd)
{
    static const char *const internet[] = { "tcp", "udp", "raw", "sctp", "udplite", NULL };
    static const char *const named[] = { "file", "directory", "device", "fifo", "memfd", NULL };
    const struct descriptor *descriptor =
        finder->set->fds ? fd_dump_find(finder->set->fds, fd) : NULL;
    if (!descriptor)
        return finder_text(finder, "descriptor %d", fd);
    if (is_one_of(descriptor->kind, internet))
        return internet_text(finder, descriptor);
    if (strcmp(descriptor->kind, "unix") == 0)
        return unix_text(finder, descriptor);
    if (is_one_of(descriptor->kind, named))
        return finder_text(finder, "%s %s", descriptor->kind, descriptor->target);
    return descriptor->kind;
}

static void put_queue(struct sink *sink, uint64_t bytes, const char *word)
{
    if (bytes > 0)
        sink_printf(sink, ", %" PRIu64 " byte%s %s", bytes, bytes == 1 ? "" : "s", word);
}

static void put_fd(struct finder *finder, struct sink *sink, int fd, bool with_origin)
{
    const struct descriptor *descriptor =
        finder->set->fds ? fd_dump_find(finder->set->fds, fd) : NULL;
    sink_printf(sink, "fd %d", fd);
    if (!descriptor)
        return;
    size_t length = strlen(descriptor->kind);
    bool is_anonymous = strncmp(descriptor->target, "anon_inode:", 11) == 0;
    sink_puts(sink, ", ");
    if (strncmp(descriptor->target, descriptor->kind, length) != 0)
        sink_printf(sink, "%s%s", descriptor->kind, is_anonymous ? "" : " ");
    if (!is_anonymous)
        sink_puts(sink, descriptor->target);
    if (descriptor->state)
        sink_printf(sink, "%s %s", strchr(descriptor->target, ',') ? "," : "", descriptor->state);
    if (descriptor->queues_known) {
        put_queue(sink, descriptor->unread, "unread");
        put_queue(sink, descriptor->unsent, "unsent");
    }
    if (with_origin && descriptor->detail)
        sink_printf(sink, ", %s", descriptor->detail);
    if (with_origin && descriptor->has_origin && descriptor->origin.frame_count > 0) {
        sink_puts(sink, ", opened by ");
        place_write(sink, finder->namer.symbolizer, descriptor->origin.frames[0]);
    }
}

static const char *fd_detail(struct finder *finder, const struct wait *wait)
{
    struct sink *sink = finder_words(finder);
    if (wait->kind == WAIT_FDS && wait->fd_count > 0) {
        sink_printf(sink, "%s: ", wait->text);
        for (size_t i = 0; i < wait->fd_count && i < SHOWN_FDS; i++) {
            sink_puts(sink, i ? "; " : "");
            put_fd(finder, sink, wait->fds[i], false);
        }
        if (wait->fd_total > SHOWN_FDS)
            sink_printf(sink, "; and %zu more", wait->fd_total - SHOWN_FDS);
    } else {
        put_fd(finder, sink, wait->fd, true);
    }
    if (wait->timed)
        sink_puts(sink, ", for a limited time");
    return finder_said(finder);
}

static const char *counted(struct finder *finder, const char *word, size_t count)
{
    return finder_text(finder, "%s[%zu fd%s]", word, count, count == 1 ? "" : "s");
}

/* "epoll[12 fds]", "poll[3 fds]", "pipe or tcp 127.0.0.1:80 ESTABLISHED" */
static const char *set_text(struct finder *finder, size_t index)
{
    const struct wait *wait = &finder->set->waits[index];
    const struct thread_sample *thread = &finder->threads->threads[index];
    const struct call *call = call_find(thread->syscall_number);
    if (call->class == CALL_MOVES)
        return finder_text(finder, "%s or %s", fd_text(finder, wait->fds[0]),
                           fd_text(finder, wait->fds[1]));
    if (wait->fd < 0)
        return counted(finder, call->class == CALL_SELECT ? "select" : "poll", wait->fd_total);
    const struct descriptor *epoll =
        finder->set->fds ? fd_dump_find(finder->set->fds, wait->fd) : NULL;
    return epoll ? counted(finder, "epoll", epoll->watched) : "epoll";
}

void fd_name(struct finder *finder, size_t index)
{
    struct wait *wait = &finder->set->waits[index];
    if (wait->kind == WAIT_FILE_LOCK) {
        file_lock_name(finder, index);
        return;
    }
    const struct descriptor *descriptor =
        finder->set->fds && wait->fd >= 0 ? fd_dump_find(finder->set->fds, wait->fd) : NULL;
    const struct descriptor *queue = wait->kind == WAIT_IPC ? descriptor : NULL;
    if (wait->kind == WAIT_FD && descriptor && descriptor->state)
        wait->idle |= strcmp(descriptor->state, "LISTEN") == 0; /* a poll of one */
    if (queue)
        wait->text = finder_text(finder, "message queue %s", queue->target);
    else
        wait->text = wait->kind == WAIT_FDS ? set_text(finder, index) : fd_text(finder, wait->fd);
    wait->detail = fd_detail(finder, wait);
}
