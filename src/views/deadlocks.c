/* deadlocks.c: the deadlocks among the threads of a dump; see deadlocks.h. */
#include "views/deadlocks.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "waits/waits.h"

static void write_cycle(struct sink *sink, const struct thread_dump *dump,
                        const struct wait_set *waits, size_t number)
{
    const struct cycle *cycle = &waits->cycles[number];
    sink_printf(sink, "\ndeadlock %zu: %zu thread%s wait%s for %s\n", number + 1, cycle->count,
                cycle->count == 1 ? "" : "s", cycle->count == 1 ? "s" : "",
                cycle->count == 1 ? "itself" : "each other");
    for (size_t i = 0; i < cycle->count; i++) {
        const struct thread_sample *thread = &dump->threads[cycle->threads[i]];
        sink_printf(sink, "    thread %d \"", (int)thread->tid);
        sink_plain(sink, thread->name);
        sink_puts(sink, "\" waits for ");
        sink_plain(sink, waits->waits[cycle->threads[i]].detail);
        sink_puts(sink, "\n");
    }
}

void deadlocks_write(struct sink *sink, const struct thread_dump *dump,
                     const struct wait_set *waits)
{
    for (size_t i = 0; i < waits->cycle_count; i++)
        write_cycle(sink, dump, waits, i);
}
