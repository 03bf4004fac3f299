/* stuck_text.c: /debug/stuck, for somebody who has been woken up.
 *
 * The findings come first, a line each, and nothing before them; whoever needs no
 * more can stop reading there. Then each again with its evidence. */
#include "views/stuck_view.h"

#include "base/sink.h"
#include "sources/fds.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "stuck/stuck.h"
#include "views/fds_text.h"
#include "views/frames.h"
#include "views/thread_words.h"
#include "waits/waits.h"

#include <string.h>

#define SHOWN_TIDS 8
#define SHOWN_STACKS 4 /* different ones of a finding */
#define SHOWN_FDS 8
#define SHOWN_CLOSES 4

void stuck_write_lines(struct sink *sink, const struct stuck_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        sink_plain(sink, list->findings[i].sentence);
        sink_puts(sink, "\n");
    }
}

static void put_summary(struct sink *sink, const struct stuck_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        sink_printf(sink, "%zu. ", i + 1);
        sink_plain(sink, list->findings[i].sentence);
        sink_puts(sink, "\n");
    }
}

static bool same_stack(const struct thread_sample *a, const struct thread_sample *b)
{
    return a->frames == b->frames && a->frame_count == b->frame_count;
}

/* thread 12 "worker" has been in ...: one line for each of those with THREADS[FIRST]'s stack. */
static size_t put_stack_threads(struct sink *sink, const struct stuck_facts *facts,
                                const size_t *threads, size_t count, size_t first)
{
    const struct thread_sample *all = facts->threads->threads;
    size_t with_it = 0;
    for (size_t i = first; i < count; i++) {
        const struct thread_sample *thread = &all[threads[i]];
        const struct wait *wait = &facts->waits->waits[threads[i]];
        if (!same_stack(thread, &all[threads[first]]) || with_it++ >= SHOWN_TIDS)
            continue;
        sink_printf(sink, "   thread %d \"", (int)thread->tid);
        sink_plain(sink, thread->name);
        sink_puts(sink, "\" ");
        thread_write_in(sink, thread);
        if (wait->detail) {
            sink_puts(sink, ", waiting for ");
            sink_plain(sink, wait->detail);
        }
        sink_puts(sink, "\n");
    }
    if (with_it > SHOWN_TIDS)
        sink_printf(sink, "   and %zu more with the same stack\n", with_it - SHOWN_TIDS);
    return with_it;
}

static bool is_first_with_stack(const struct stuck_facts *facts, const size_t *threads,
                                size_t index)
{
    const struct thread_sample *all = facts->threads->threads;
    for (size_t i = 0; i < index; i++)
        if (same_stack(&all[threads[i]], &all[threads[index]]))
            return false;
    return true;
}

/* Every different stack of THREADS, under those who have it. */
static void put_stacks(struct sink *sink, const struct stuck_facts *facts, const size_t *threads,
                       size_t count)
{
    size_t shown = 0;
    size_t left_out = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_first_with_stack(facts, threads, i))
            continue;
        if (shown++ >= SHOWN_STACKS && count > 2 * SHOWN_STACKS) {
            left_out++;
            continue;
        }
        sink_puts(sink, "\n");
        put_stack_threads(sink, facts, threads, count, i);
        thread_write_stack(sink, &facts->threads->threads[threads[i]], facts->symbolizer, "      ",
                           0);
    }
    if (left_out > 0)
        sink_printf(sink, "\n   %zu more stacks: see the profile threads\n", left_out);
}

static void put_fd(struct sink *sink, const struct stuck_facts *facts, int fd)
{
    const struct descriptor *descriptor = facts->fds ? fd_dump_find(facts->fds, fd) : NULL;
    if (!descriptor)
        return;
    sink_printf(sink, "   fd %d, ", fd);
    if (strncmp(descriptor->target, descriptor->kind, strlen(descriptor->kind)) != 0)
        sink_printf(sink, "%s ", descriptor->kind);
    sink_plain(sink, descriptor->target);
    if (descriptor->state)
        sink_printf(sink, ", %s", descriptor->state);
    if (descriptor->queues_known)
        fds_write_queues(sink, descriptor->unread, descriptor->unsent,
                         descriptor->queues_are_memory);
    sink_puts(sink, "\n");
}

static void put_fds(struct sink *sink, const struct stuck_facts *facts,
                    const struct finding *finding)
{
    if (finding->fd_count > 0)
        sink_puts(sink, "\n");
    for (size_t i = 0; i < finding->fd_count && i < SHOWN_FDS; i++)
        put_fd(sink, facts, finding->fds[i]);
    if (finding->fd_count > SHOWN_FDS)
        sink_printf(sink, "   and %zu more: see the profile fds\n", finding->fd_count - SHOWN_FDS);
    if (finding->opener && finding->opener->frame_count > 0) {
        sink_puts(sink, "   opened by\n");
        frames_write(sink, finding->opener->frames, finding->opener->frame_count, facts->symbolizer,
                     "      ", 0);
    }
}

static void put_closes(struct sink *sink, const struct stuck_facts *facts)
{
    const struct double_close *list;
    size_t count;
    tracking_double_closes(facts->tracking, &list, &count);
    for (size_t i = 0; i < count && i < SHOWN_CLOSES; i++) {
        sink_printf(sink, "\n   fd %d, by thread %d\n", list[i].fd, (int)list[i].closed.tid);
        frames_write(sink, list[i].closed.frames, list[i].closed.frame_count, facts->symbolizer,
                     "      ", 0);
        if (list[i].before.frame_count == 0)
            continue;
        sink_printf(sink, "   it had been closed by thread %d\n", (int)list[i].before.tid);
        frames_write(sink, list[i].before.frames, list[i].before.frame_count, facts->symbolizer,
                     "      ", 0);
    }
}

static void put_finding(struct sink *sink, const struct stuck_facts *facts,
                        const struct finding *finding, size_t number)
{
    sink_printf(sink, "\n%zu. ", number);
    sink_plain(sink, finding->sentence);
    sink_puts(sink, "\n");
    if (finding->holder != SIZE_MAX) {
        sink_puts(sink, "\n   the holder\n");
        put_stacks(sink, facts, &finding->holder, 1);
        sink_puts(sink, "\n   those who wait\n");
    }
    put_stacks(sink, facts, finding->threads, finding->thread_count);
    put_fds(sink, facts, finding);
    if (finding->kind == FINDING_DOUBLE_CLOSE)
        put_closes(sink, facts);
}

/* What may only be a busy hour is no finding, and still worth a line. */
static void put_growing(struct sink *sink, const struct stuck_facts *facts)
{
    for (size_t i = 0; i < facts->growing_count; i++) {
        if (facts->growing[i].is_leak)
            continue;
        sink_puts(sink, "\ngrowing, perhaps with the load: ");
        sink_plain(sink, facts->growing[i].sentence);
    }
}

void stuck_write_text(struct sink *sink, const struct stuck_list *list,
                      const struct stuck_facts *facts)
{
    put_summary(sink, list);
    if (list->count == 0)
        sink_puts(sink, "nothing stuck\n");
    for (size_t i = 0; i < list->count; i++)
        put_finding(sink, facts, &list->findings[i], i + 1);
    put_growing(sink, facts);
    sink_printf(sink, "\n%zu thread%s", facts->threads->count,
                facts->threads->count == 1 ? "" : "s");
    if (facts->fds)
        sink_printf(sink, " and %zu descriptor%s", facts->fds->count,
                    facts->fds->count == 1 ? "" : "s");
    sink_puts(sink, " were looked at\n");
    if (!facts->threads->listed_all)
        sink_puts(sink, "the list of threads could not be read to its end: some are missing\n");
    if (facts->threads->hidden) {
        sink_puts(sink, "what most threads wait on could not be read: ");
        sink_puts(sink, facts->threads->hidden);
        sink_puts(sink, "\n");
    }
}
