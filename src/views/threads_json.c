/* threads_json.c: /debug/threads?format=json, everything known, for scripts.
 *
 * Addresses and arguments are strings: JSON readers lose the low bits of
 * 64-bit numbers. What is not known is null, never left out. */
#include "views/threads_view.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "views/frames.h"
#include "views/label_words.h"
#include "views/thread_words.h"
#include "waits/waits.h"

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

static void write_wait(struct sink *sink, const struct wait *wait)
{
    sink_puts(sink, ",\n   \"wait\": ");
    if (!wait || !wait->text) {
        sink_puts(sink, "null");
        return;
    }
    sink_puts(sink, "{\"on\": ");
    sink_json_string(sink, wait->text);
    sink_puts(sink, ", \"detail\": ");
    sink_json_string(sink, wait->detail);
    if (wait->fd >= 0)
        sink_printf(sink, ", \"fd\": %d", wait->fd);
    else
        sink_puts(sink, ", \"fd\": null");
    if (wait->object)
        sink_printf(sink, ", \"object\": \"0x%" PRIx64 "\"", wait->object);
    else
        sink_puts(sink, ", \"object\": null");
    sink_puts(sink, ", \"variable\": ");
    sink_json_string(sink, wait->variable);
    if (wait->holder)
        sink_printf(sink, ", \"holder\": %d", (int)wait->holder);
    else
        sink_puts(sink, ", \"holder\": null");
    if (wait->cycle != SIZE_MAX)
        sink_printf(sink, ", \"deadlock\": %zu", wait->cycle + 1);
    else
        sink_puts(sink, ", \"deadlock\": null");
    sink_printf(sink, ", \"timed\": %s, \"never\": %s}", wait->timed ? "true" : "false",
                wait->never ? "true" : "false");
}

static void write_starter(struct sink *sink, const struct thread_dump *dump,
                          const struct thread_sample *thread, struct symbolizer *symbolizer)
{
    const struct origin *starter = &thread->starter;
    uint64_t age = thread_age_ns(dump, thread);
    sink_puts(sink, ",\n   \"started_by\": ");
    if (!thread->has_starter) {
        sink_puts(sink, "null");
        return;
    }
    sink_puts(sink, "{\"call\": ");
    sink_json_string(sink, starter->call);
    sink_printf(sink, ", \"tid\": %d, \"age_ns\": ", (int)starter->tid);
    if (age > 0)
        sink_printf(sink, "%" PRIu64, age);
    else
        sink_puts(sink, "null");
    sink_puts(sink, ", \"partial\": ");
    sink_json_string(sink, starter->partial);
    sink_puts(sink, ", \"frames\": ");
    frames_write_json(sink, starter->frames, starter->frame_count, symbolizer);
    sink_puts(sink, "}");
}

static void write_thread(struct sink *sink, const struct thread_dump *dump,
                         const struct thread_sample *thread, const struct wait *wait,
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
    write_wait(sink, wait);
    sink_puts(sink, ",\n   ");
    labels_write_json(sink, &thread->labels);
    sink_puts(sink, ",\n   \"frames\": ");
    frames_write_json(sink, thread->frames, thread->frame_count, symbolizer);
    write_starter(sink, dump, thread, symbolizer);
    sink_puts(sink, "}");
}

void threads_write_json(struct sink *sink, const struct thread_dump *dump,
                        const struct wait_set *waits, struct symbolizer *symbolizer)
{
    sink_printf(sink,
                "{\"time_ns\": %" PRIu64 ", \"took_ns\": %" PRIu64 ", \"count\": %zu,\n"
                " \"captured\": {\"procfs\": %zu, \"signal\": %zu, \"perf\": %zu, \"partial\": "
                "%zu},"
                " \"listed_all\": %s,\n \"threads\": [",
                dump->time_ns, dump->took_ns, dump->count, dump->by_procfs, dump->by_signal,
                dump->by_perf, dump->partial, dump->listed_all ? "true" : "false");
    for (size_t i = 0; i < dump->count; i++) {
        sink_puts(sink, i ? "," : "");
        write_thread(sink, dump, &dump->threads[i], waits ? &waits->waits[i] : NULL, symbolizer);
    }
    sink_puts(sink, "]}\n");
}
