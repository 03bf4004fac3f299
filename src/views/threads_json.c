/* threads_json.c: /debug/threads?format=json, everything known, for scripts.
 *
 * Addresses and arguments are strings: JSON readers lose the low bits of
 * 64-bit numbers. What is not known is null, never left out. */
#include "views/threads_view.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "views/frames.h"
#include "views/thread_words.h"

#include <inttypes.h>

static void write_syscall(struct sink *sink, const struct thread_sample *thread)
{
    char text[32];
    sink_puts(sink, ",\n   \"syscall\": ");
    sink_json_string(sink, thread_syscall_word(thread, text, sizeof text));
    sink_puts(sink, ", \"arguments\": ");
    if (!thread->in_syscall) {
        sink_puts(sink, "null");
        return;
    }
    for (int i = 0; i < 6; i++)
        sink_printf(sink, "%s\"0x%" PRIx64 "\"", i ? ", " : "[", thread->arguments[i]);
    sink_puts(sink, "]");
}

static void write_thread(struct sink *sink, const struct thread_sample *thread,
                         struct symbolizer *symbolizer)
{
    char text[128];
    sink_printf(sink, "\n  {\"tid\": %d, \"thread\": ", (int)thread->tid);
    sink_json_string(sink, thread->name);
    sink_puts(sink, ", \"state\": ");
    sink_json_string(sink, thread_state_word(thread->state));
    sink_printf(sink, ", \"blocked_ns\": %" PRIu64 ", \"blocked_exact\": %s", thread->blocked_ns,
                thread->blocked_known ? "true" : "false");
    sink_puts(sink, ", \"capture\": ");
    sink_json_string(sink, thread_capture_word(thread, text, sizeof text));
    write_syscall(sink, thread);
    sink_puts(sink, ",\n   \"frames\": ");
    frames_write_json(sink, thread->frames, thread->frame_count, symbolizer);
    sink_puts(sink, "}");
}

void threads_write_json(struct sink *sink, const struct thread_dump *dump,
                        struct symbolizer *symbolizer)
{
    sink_printf(sink,
                "{\"time_ns\": %" PRIu64 ", \"took_ns\": %" PRIu64 ", \"count\": %zu,\n"
                " \"captured\": {\"procfs\": %zu, \"signal\": %zu, \"partial\": %zu},"
                " \"listed_all\": %s,\n \"threads\": [",
                dump->time_ns, dump->took_ns, dump->count, dump->by_procfs, dump->by_signal,
                dump->partial, dump->listed_all ? "true" : "false");
    for (size_t i = 0; i < dump->count; i++) {
        sink_puts(sink, i ? "," : "");
        write_thread(sink, &dump->threads[i], symbolizer);
    }
    sink_puts(sink, "]}\n");
}
