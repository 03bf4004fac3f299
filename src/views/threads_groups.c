/* threads_groups.c: /debug/threads, the view for a person with curl.
 *
 * Threads with the same stack, doing the same thing, are one group. Groups
 * are found by sorting: threads are ordered by what makes them equal, so each
 * group is a run in that order; the runs are then ordered by size. */
#include "views/threads_view.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "views/thread_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_TIDS 8
#define SHOWN_NAMES 3

struct group {
    const struct thread_sample **threads; /* longest blocked first */
    size_t count;
};

/* Orders by stack and by what the thread is doing: 0 means one group. */
static int compare_doing(const struct thread_sample *a, const struct thread_sample *b)
{
    if (a->frame_count != b->frame_count)
        return a->frame_count < b->frame_count ? -1 : 1;
    int order = a->frame_count == 0 || a->frames == b->frames
                    ? 0
                    : memcmp(a->frames, b->frames, a->frame_count * sizeof *a->frames);
    if (order)
        return order;
    long call_a = a->in_syscall ? a->syscall_number : -1;
    long call_b = b->in_syscall ? b->syscall_number : -1;
    if (call_a != call_b)
        return call_a < call_b ? -1 : 1;
    if (a->state != b->state)
        return a->state < b->state ? -1 : 1;
    bool partial_a = a->how == CAPTURE_PARTIAL;
    bool partial_b = b->how == CAPTURE_PARTIAL;
    if (partial_a != partial_b)
        return partial_a ? 1 : -1;
    return partial_a && a->why && b->why ? strcmp(a->why, b->why) : 0;
}

static int compare_threads(const void *left, const void *right)
{
    const struct thread_sample *a = *(const struct thread_sample *const *)left;
    const struct thread_sample *b = *(const struct thread_sample *const *)right;
    int order = compare_doing(a, b);
    if (order)
        return order;
    if (a->blocked_ns != b->blocked_ns)
        return a->blocked_ns > b->blocked_ns ? -1 : 1;
    return (a->tid > b->tid) - (a->tid < b->tid);
}

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left;
    const struct group *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return compare_threads(&a->threads[0], &b->threads[0]);
}

/* "worker (12), reader (3) and others" */
static void write_names(struct sink *sink, const struct group *group)
{
    const char *names[SHOWN_NAMES];
    size_t counts[SHOWN_NAMES] = { 0 };
    size_t known = 0;
    size_t others = 0;
    for (size_t i = 0; i < group->count; i++) {
        size_t n = 0;
        while (n < known && strcmp(names[n], group->threads[i]->name) != 0)
            n++;
        if (n == SHOWN_NAMES) {
            others++;
            continue;
        }
        if (n == known)
            names[known++] = group->threads[i]->name;
        counts[n]++;
    }
    for (size_t n = 0; n < known; n++) {
        sink_puts(sink, n ? ", " : "");
        sink_plain(sink, names[n]);
        if (known > 1 || others > 0)
            sink_printf(sink, " (%zu)", counts[n]);
    }
    if (others > 0)
        sink_printf(sink, ", others (%zu)", others);
}

static void write_tids(struct sink *sink, const struct group *group)
{
    sink_puts(sink, group->count == 1 ? "; tid" : "; tids");
    for (size_t i = 0; i < group->count && i < SHOWN_TIDS; i++)
        sink_printf(sink, " %d", (int)group->threads[i]->tid);
    if (group->count > SHOWN_TIDS)
        sink_printf(sink, " and %zu more", group->count - SHOWN_TIDS);
}

static void write_group(struct sink *sink, const struct group *group, struct symbolizer *symbolizer)
{
    const struct thread_sample *longest = group->threads[0];
    const struct thread_sample *shortest = group->threads[group->count - 1];
    sink_printf(sink, "\n%zu thread%s in ", group->count, group->count == 1 ? "" : "s");
    thread_write_doing(sink, longest);
    if (group->count > 1 && longest->state != 'R' && longest->blocked_ns != shortest->blocked_ns) {
        sink_puts(sink, " at most, ");
        sink_duration(sink, shortest->blocked_ns);
        sink_puts(sink, " at least");
    }
    sink_puts(sink, "\n    named ");
    write_names(sink, group);
    write_tids(sink, group);
    sink_puts(sink, "\n");
    thread_write_stack(sink, longest, symbolizer, "    ", 0);
}

/* Cuts the ordered threads into groups; returns how many. */
static size_t find_groups(const struct thread_sample **order, size_t count, struct group *groups)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_doing(order[i - 1], order[i]) != 0)
            groups[found++] = (struct group){ .threads = &order[i] };
        groups[found - 1].count++;
    }
    return found;
}

void threads_write_groups(struct sink *sink, const struct thread_dump *dump,
                          struct symbolizer *symbolizer)
{
    thread_write_totals(sink, dump);
    const struct thread_sample **order = malloc((dump->count + 1) * sizeof *order);
    struct group *groups = malloc((dump->count + 1) * sizeof *groups);
    if (!order || !groups) {
        sink->error = sink->error ? sink->error : -ENOMEM;
    } else {
        for (size_t i = 0; i < dump->count; i++)
            order[i] = &dump->threads[i];
        qsort(order, dump->count, sizeof *order, compare_threads);
        size_t count = find_groups(order, dump->count, groups);
        qsort(groups, count, sizeof *groups, compare_groups);
        for (size_t i = 0; i < count; i++)
            write_group(sink, &groups[i], symbolizer);
    }
    free(groups);
    free(order);
}
