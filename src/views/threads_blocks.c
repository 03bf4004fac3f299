/* threads_blocks.c: debug=2, a block per thread with everything known about it.
 *
 * Longest blocked first: what has been stuck for an hour stands above what
 * went to sleep a moment ago. */
#include "views/threads_view.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "views/deadlocks.h"
#include "views/frames.h"
#include "views/label_words.h"
#include "views/thread_words.h"
#include "waits/waits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static int longest_blocked_first(const void *left, const void *right)
{
    const struct thread_sample *a = *(const struct thread_sample *const *)left;
    const struct thread_sample *b = *(const struct thread_sample *const *)right;
    if (a->blocked_ns != b->blocked_ns)
        return a->blocked_ns > b->blocked_ns ? -1 : 1;
    return (a->tid > b->tid) - (a->tid < b->tid);
}

static void write_wait(struct sink *sink, const struct wait *wait)
{
    if (wait->detail) {
        sink_puts(sink, "     waits for ");
        sink_plain(sink, wait->detail);
        sink_puts(sink, "\n");
    }
    if (wait->cycle != SIZE_MAX)
        sink_printf(sink, "     can never go on: it is in deadlock %zu\n", wait->cycle + 1);
    else if (wait->never)
        sink_puts(sink, "     can never go on\n");
}

/* "started by accept_loop at server.c:88, by pthread_create() in thread 4711 2 h ago", and how that
 * came to be called. */
static void write_starter(struct sink *sink, const struct thread_dump *dump,
                          const struct thread_sample *thread, struct symbolizer *symbolizer)
{
    const struct origin *starter = &thread->starter;
    uint64_t age = thread_age_ns(dump, thread);
    if (!thread->has_starter)
        return;
    sink_puts(sink, "     started by ");
    frames_write_place(sink, starter->frames, starter->frame_count, symbolizer);
    sink_printf(sink, ", by %s()", starter->call);
    if (starter->tid > 0)
        sink_printf(sink, " in thread %d", (int)starter->tid);
    if (age > 0) {
        sink_puts(sink, " ");
        sink_duration(sink, age);
        sink_puts(sink, " ago");
    }
    sink_puts(sink, "\n");
    frames_write(sink, starter->frames, starter->frame_count, symbolizer, "     ", 1);
    if (starter->partial)
        sink_printf(sink, "     the rest is missing: %s\n", starter->partial);
}

static void write_block(struct sink *sink, const struct thread_dump *dump,
                        const struct thread_sample *thread, const struct wait *wait,
                        struct symbolizer *symbolizer)
{
    char text[128];
    sink_printf(sink, "\nthread %d \"", (int)thread->tid);
    sink_plain(sink, thread->name);
    sink_puts(sink, "\" [");
    thread_write_doing(sink, thread);
    sink_printf(sink, "]: %s, captured by %s\n", thread_state_word(thread->state),
                thread_capture_word(thread, text, sizeof text));
    const char *call = thread_syscall_word(thread, text, sizeof text);
    if (call) {
        sink_printf(sink, "     %s(", call);
        for (int i = 0; i < 6; i++)
            sink_printf(sink, "%s0x%" PRIx64, i ? ", " : "", thread->arguments[i]);
        sink_puts(sink, ")\n");
    }
    if (wait)
        write_wait(sink, wait);
    labels_write(sink, &thread->labels, "     ");
    thread_write_stack(sink, thread, symbolizer, "", 1);
    write_starter(sink, dump, thread, symbolizer);
}

/* The threads of DUMP, longest blocked first; with ONLY_STUCK those that can never go on. How many
 * there are in ORDER, which has room for all. */
static size_t put_in_order(const struct thread_dump *dump, const struct wait_set *waits,
                           bool only_stuck, const struct thread_sample **order)
{
    size_t count = 0;
    for (size_t i = 0; i < dump->count; i++)
        if (!only_stuck || waits->waits[i].never)
            order[count++] = &dump->threads[i];
    qsort(order, count, sizeof *order, longest_blocked_first);
    return count;
}

static void write_blocks(struct sink *sink, const struct thread_dump *dump,
                         const struct wait_set *waits, bool only_stuck,
                         struct symbolizer *symbolizer)
{
    const struct thread_sample **order = malloc((dump->count + 1) * sizeof *order);
    if (!order) {
        sink->error = sink->error ? sink->error : -ENOMEM;
        return;
    }
    size_t count = put_in_order(dump, waits, only_stuck, order);
    for (size_t i = 0; i < count; i++)
        write_block(sink, dump, order[i], waits ? &waits->waits[order[i] - dump->threads] : NULL,
                    symbolizer);
    free(order);
}

void threads_write_blocks(struct sink *sink, const struct thread_dump *dump,
                          const struct wait_set *waits, struct symbolizer *symbolizer)
{
    thread_write_totals(sink, dump);
    if (waits)
        deadlocks_write(sink, dump, waits);
    write_blocks(sink, dump, waits, false, symbolizer);
}

void threads_write_stuck_blocks(struct sink *sink, const struct thread_dump *dump,
                                const struct wait_set *waits, struct symbolizer *symbolizer)
{
    size_t never = 0;
    for (size_t i = 0; i < waits->count; i++)
        never += waits->waits[i].never;
    sink_printf(sink, "%zu of %zu threads can never go on\n", never, dump->count);
    deadlocks_write(sink, dump, waits);
    write_blocks(sink, dump, waits, true, symbolizer);
}
