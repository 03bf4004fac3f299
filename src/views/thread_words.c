/* thread_words.c: the words of a thread dump; see thread_words.h.
 *
 * Names that others chose (threads, functions, files) go out by sink_plain: an
 * escape sequence in one must not reach the operator's terminal. */
#include "views/thread_words.h"

#include "base/sink.h"
#include "modules/modules.h"
#include "sources/threads.h"
#include "symbolize/symbolize.h"

#include <inttypes.h>
#include <stdio.h>

const char *thread_state_word(char state)
{
    switch (state) {
    case 'R': return "running";
    case 'S': return "sleeping";
    case 'D': return "disk sleep";
    case 'T': return "stopped";
    case 't': return "tracing stop";
    case 'Z': return "zombie";
    case 'X': return "dead";
    case 'I': return "idle";
    case 'P': return "parked";
    default: return "unknown";
    }
}

const char *thread_syscall_word(const struct thread_sample *thread, char *text, size_t size)
{
    if (!thread->in_syscall)
        return NULL;
    const char *name = syscall_name(thread->syscall_number);
    if (name)
        return name;
    snprintf(text, size, "syscall %ld", thread->syscall_number);
    return text;
}

const char *thread_capture_word(const struct thread_sample *thread, char *text, size_t size)
{
    switch (thread->how) {
    case CAPTURE_PROCFS: return "procfs";
    case CAPTURE_SIGNAL: return "signal";
    case CAPTURE_PARTIAL: break;
    }
    snprintf(text, size, "partial: %s", thread->why ? thread->why : "unknown");
    return text;
}

void thread_write_doing(struct sink *sink, const struct thread_sample *thread)
{
    char text[32];
    const char *call = thread_syscall_word(thread, text, sizeof text);
    sink_puts(sink, call ? call : thread_state_word(thread->state));
    if (call && thread->state != 'S' && thread->state != 'R')
        sink_printf(sink, " (%s)", thread_state_word(thread->state));
    if (thread->state == 'R' || thread->blocked_ns == 0)
        return;
    sink_puts(sink, thread->blocked_known ? " for " : " for at least ");
    sink_duration(sink, thread->blocked_ns);
}

static void write_line(struct sink *sink, const struct location *location, size_t index,
                       int with_addresses)
{
    const struct source_line *line = &location->lines[index];
    sink_plain(sink, line->function);
    if (with_addresses && location->has_function && index + 1 == location->line_count)
        sink_printf(sink, "+0x%" PRIx64, location->function_offset);
    if (line->file) {
        sink_puts(sink, " at ");
        sink_plain(sink, line->file);
        if (line->line > 0)
            sink_printf(sink, ":%d", line->line);
    } else if (location->module && location->has_function) {
        sink_puts(sink, " in ");
        sink_plain(sink, module_name(location->module));
    }
    sink_puts(sink, index + 1 < location->line_count ? " (inlined)\n" : "\n");
}

static void write_frame(struct sink *sink, uint64_t frame, size_t number,
                        struct symbolizer *symbolizer, const char *indent, int with_addresses)
{
    const struct location *location = symbolize(symbolizer, frame_lookup(frame));
    for (size_t i = 0; i < location->line_count; i++) {
        sink_printf(sink, "%s#%-3zu ", indent, number);
        if (with_addresses)
            sink_printf(sink, "0x%016" PRIx64 " ", frame_address(frame));
        write_line(sink, location, i, with_addresses);
    }
}

void thread_write_stack(struct sink *sink, const struct thread_sample *thread,
                        struct symbolizer *symbolizer, const char *indent, int with_addresses)
{
    for (size_t i = 0; i < thread->frame_count; i++)
        write_frame(sink, thread->frames[i], i, symbolizer, indent, with_addresses);
    if (thread->how == CAPTURE_PARTIAL)
        sink_printf(sink, "%s%s: %s\n", indent,
                    thread->frame_count > 0 ? "the rest is missing" : "no stack",
                    thread->why ? thread->why : "unknown");
}

void thread_write_totals(struct sink *sink, const struct thread_dump *dump)
{
    size_t running = 0;
    for (size_t i = 0; i < dump->count; i++)
        running += dump->threads[i].state == 'R';
    sink_printf(sink, "%zu thread%s: %zu blocked, %zu running\n", dump->count,
                dump->count == 1 ? "" : "s", dump->count - running, running);
    if (dump->by_signal > 0)
        sink_printf(sink,
                    "%zu running thread%s asked by signal; no blocked thread was interrupted\n",
                    dump->by_signal, dump->by_signal == 1 ? " was" : "s were");
    if (dump->partial > 0)
        sink_printf(sink, "%zu stack%s incomplete; the reason stands below each\n", dump->partial,
                    dump->partial == 1 ? " is" : "s are");
    if (!dump->listed_all)
        sink_puts(sink, "the list of threads could not be read to its end: some are missing\n");
}
