/* threads_blocks.c: debug=2, a block per thread with everything known about it.
 *
 * Longest blocked first: what has been stuck for an hour stands above what
 * went to sleep a moment ago. */
#include "views/threads_view.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "views/thread_words.h"

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

static void write_block(struct sink *sink, const struct thread_sample *thread,
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
    thread_write_stack(sink, thread, symbolizer, "", 1);
}

void threads_write_blocks(struct sink *sink, const struct thread_dump *dump,
                          struct symbolizer *symbolizer)
{
    thread_write_totals(sink, dump);
    const struct thread_sample **order = malloc((dump->count + 1) * sizeof *order);
    if (order) {
        for (size_t i = 0; i < dump->count; i++)
            order[i] = &dump->threads[i];
        qsort(order, dump->count, sizeof *order, longest_blocked_first);
    }
    for (size_t i = 0; i < dump->count; i++)
        write_block(sink, order ? order[i] : &dump->threads[i], symbolizer);
    free(order);
}
