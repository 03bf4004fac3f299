/* thread_words.c: the words of a thread dump; see thread_words.h. */
#include "views/thread_words.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "views/frames.h"

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
    case CAPTURE_PERF: return "perf";
    case CAPTURE_PARTIAL: break;
    }
    snprintf(text, size, "partial: %s", thread->why ? thread->why : "unknown");
    return text;
}

void thread_write_doing(struct sink *sink, const struct thread_sample *thread)
{
    char text[32];
    const char *call = thread_syscall_word(thread, text, sizeof text);
    if (thread_is_in_fault(thread))
        call = "page fault";
    sink_puts(sink, call ? call : thread_state_word(thread->state));
    if (call && thread->state != 'S' && thread->state != 'R')
        sink_printf(sink, " (%s)", thread_state_word(thread->state));
    if (thread->state == 'R' || thread->blocked_ns == 0)
        return;
    sink_puts(sink, thread->blocked_known ? " for " : " for at least ");
    sink_duration(sink, thread->blocked_ns);
}

void thread_write_in(struct sink *sink, const struct thread_sample *thread)
{
    char text[32];
    if (thread_is_in_fault(thread) || thread_syscall_word(thread, text, sizeof text))
        sink_puts(sink, "in ");
    thread_write_doing(sink, thread);
}

uint64_t thread_age_ns(const struct thread_dump *dump, const struct thread_sample *thread)
{
    if (!thread->has_starter || thread->starter.time_ns >= dump->monotonic_ns)
        return 0;
    return dump->monotonic_ns - thread->starter.time_ns;
}

void thread_write_stack(struct sink *sink, const struct thread_sample *thread,
                        struct symbolizer *symbolizer, const char *indent, int with_addresses)
{
    frames_write(sink, thread->frames, thread->frame_count, symbolizer, indent, with_addresses);
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
    if (dump->by_signal > 0 && dump->hidden)
        sink_printf(sink, "%zu thread%s asked by signal, blocked ones too: %s\n", dump->by_signal,
                    dump->by_signal == 1 ? " was" : "s were", dump->hidden);
    else if (dump->by_signal > 0)
        sink_printf(sink, "%zu thread%s asked by signal\n", dump->by_signal,
                    dump->by_signal == 1 ? " was" : "s were");
    if (dump->partial > 0)
        sink_printf(sink, "%zu stack%s incomplete; the reason stands below each\n", dump->partial,
                    dump->partial == 1 ? " is" : "s are");
    if (dump->labels_refused > 0)
        sink_printf(sink, "%" PRIu64 " labels of threads were not kept for want of room\n",
                    dump->labels_refused);
    if (!dump->listed_all)
        sink_puts(sink, "the list of threads could not be read to its end: some are missing\n");
}
