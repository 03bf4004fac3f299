/* threads_groups.c: /debug/threads, the view for a person with curl.
 *
 * Threads with the same stack, doing the same thing, are one group. Groups
 * are found by sorting: threads are ordered by what makes them equal, so each
 * group is a run in that order; the runs are then ordered by size. */
#include "views/threads_view.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "views/deadlocks.h"
#include "views/frames.h"
#include "views/thread_words.h"
#include "views/threads_labels.h"
#include "waits/waits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_TIDS 8
#define SHOWN_DIFFERENCE_NS 1000000u /* what sink_duration shows at least */
#define SHOWN_WORDS 3                /* different names, and different things that are waited for */

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

/* What is said of one thread of a group; NULL where there is nothing to say. */
typedef const char *thread_word(const struct thread_sample *thread, const void *context);

static const char *name_of(const struct thread_sample *thread, const void *context)
{
    (void)context;
    return thread->name;
}

struct waiting {
    const struct thread_dump *dump;
    const struct wait_set *waits;
};

static const char *wait_of(const struct thread_sample *thread, const void *context)
{
    const struct waiting *waiting = context;
    return waiting->waits->waits[thread - waiting->dump->threads].text;
}

/* "worker (12), reader (3), others (2)", after BEFORE; nothing where no thread has a word. */
static void write_words(struct sink *sink, const struct group *group, const char *before,
                        thread_word *word_of, const void *context)
{
    const char *shown[SHOWN_WORDS];
    size_t counts[SHOWN_WORDS] = { 0 };
    size_t known = 0;
    size_t others = 0;
    for (size_t i = 0; i < group->count; i++) {
        const char *word = word_of(group->threads[i], context);
        size_t n = 0;
        while (word && n < known && strcmp(shown[n], word) != 0)
            n++;
        if (!word || n == SHOWN_WORDS) {
            others++;
            continue;
        }
        if (n == known)
            shown[known++] = word;
        counts[n]++;
    }
    for (size_t n = 0; n < known; n++) {
        sink_puts(sink, n ? ", " : before);
        sink_plain(sink, shown[n]);
        if (known > 1 || others > 0)
            sink_printf(sink, " (%zu)", counts[n]);
    }
    if (known > 0 && others > 0)
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

/* Whether THREAD was started in PLACE, the words for it. A compiler makes several calls of one
 * line, so it is not the addresses that count. */
static bool is_started_in(const struct thread_sample *thread, const struct sink_buffer *place,
                          struct symbolizer *symbolizer)
{
    const struct origin *starter = &thread->starter;
    struct sink_buffer other;
    if (starter->frame_count == 0)
        return false;
    sink_buffer_init(&other);
    frames_write_place(&other.sink, starter->frames, starter->frame_count, symbolizer);
    bool same = other.sink.error == 0 && other.length == place->length &&
                memcmp(other.bytes, place->bytes, place->length) == 0;
    sink_buffer_free(&other);
    return same;
}

/* Where all threads of a group were started. Equal stacks of starters are the same one in a dump.
 */
static void write_starter(struct sink *sink, const struct group *group,
                          struct symbolizer *symbolizer)
{
    const struct origin *starter = &group->threads[0]->starter;
    struct sink_buffer place;
    if (starter->frame_count == 0)
        return;
    sink_buffer_init(&place);
    frames_write_place(&place.sink, starter->frames, starter->frame_count, symbolizer);
    bool same = place.sink.error == 0;
    for (size_t i = 1; same && i < group->count; i++)
        same = group->threads[i]->starter.frames == group->threads[i - 1]->starter.frames ||
               is_started_in(group->threads[i], &place, symbolizer);
    if (same) {
        sink_puts(sink, "\n    started by ");
        sink_write(sink, place.bytes, place.length);
    }
    sink_buffer_free(&place);
}

static void write_group(struct sink *sink, const struct group *group, const struct waiting *waiting,
                        struct symbolizer *symbolizer)
{
    const struct thread_sample *longest = group->threads[0];
    const struct thread_sample *shortest = group->threads[group->count - 1];
    sink_printf(sink, "\n%zu thread%s ", group->count, group->count == 1 ? "" : "s");
    thread_write_in(sink, longest);
    /* The two are worth telling apart when they do not read the same. */
    bool differ = longest->blocked_ns - shortest->blocked_ns > longest->blocked_ns / 10 &&
                  longest->blocked_ns - shortest->blocked_ns > SHOWN_DIFFERENCE_NS;
    if (group->count > 1 && longest->state != 'R' && differ) {
        sink_puts(sink, " at most, ");
        sink_duration(sink, shortest->blocked_ns);
        sink_puts(sink, " at least");
    }
    write_words(sink, group, "\n    named ", name_of, NULL);
    write_tids(sink, group);
    if (waiting->waits)
        write_words(sink, group, "\n    waiting for ", wait_of, waiting);
    threads_write_label_values(sink, group->threads, group->count, "\n    ");
    write_starter(sink, group, symbolizer);
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
                          const struct wait_set *waits, struct symbolizer *symbolizer)
{
    const struct waiting waiting = { dump, waits };
    thread_write_totals(sink, dump);
    if (waits)
        deadlocks_write(sink, dump, waits);
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
            write_group(sink, &groups[i], &waiting, symbolizer);
    }
    free(groups);
    free(order);
}
