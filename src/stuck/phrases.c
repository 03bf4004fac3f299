/* phrases.c: parts of sentences about threads, times and bytes. */
#include "stuck/findings.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "waits/place_words.h"
#include "waits/waits.h"

#include <inttypes.h>
#include <string.h>

static const struct thread_sample *thread_at(const struct diagnosis *diagnosis, size_t index)
{
    return &diagnosis->facts->threads->threads[index];
}

void put_threads(struct sink *sink, const struct diagnosis *diagnosis, const size_t *threads,
                 size_t count)
{
    if (count == 1)
        sink_printf(sink, "thread %s", thread_at(diagnosis, threads[0])->name);
    else
        sink_printf(sink, "%zu threads", count);
}

void put_how_long(struct sink *sink, const struct diagnosis *diagnosis, const size_t *threads,
                  size_t count)
{
    const struct thread_sample *longest = thread_at(diagnosis, threads[0]);
    sink_puts(sink, "for ");
    if (!longest->blocked_known)
        sink_puts(sink, "at least ");
    else if (count > 1)
        sink_puts(sink, "up to ");
    sink_duration(sink, longest->blocked_ns);
}

void put_call(struct sink *sink, const struct diagnosis *diagnosis, size_t thread)
{
    const struct thread_sample *sample = thread_at(diagnosis, thread);
    const char *name = sample->in_syscall ? syscall_name(sample->syscall_number) : NULL;
    const char *called = diagnosis->facts->waits->waits[thread].call;
    if (diagnosis->facts->waits->waits[thread].kind == WAIT_FAULT)
        sink_puts(sink, "a page fault");
    else if (called || name)
        sink_printf(sink, "%s()", called ? called : name);
    else
        sink_puts(sink, "the kernel");
}

void put_on(struct sink *sink, const struct wait *wait)
{
    if (!wait->text || wait->kind == WAIT_FAULT)
        return;
    bool is_named = strchr(wait->text, ' ') != NULL; /* "tcp 127.0.0.1:80", not "pipe" */
    bool is_full = wait->writes && strcmp(wait->text, "pipe") == 0;
    const char *article = is_full ? "a full " : strchr("aeiou", wait->text[0]) ? "an " : "a ";
    sink_printf(sink, "%s%s%s", wait->kind == WAIT_FD ? " on " : ", waiting for ",
                is_named && !is_full ? "" : article, wait->text);
}

void put_doing(struct sink *sink, const struct diagnosis *diagnosis, size_t thread)
{
    const struct thread_sample *sample = thread_at(diagnosis, thread);
    const struct wait *wait = &diagnosis->facts->waits->waits[thread];
    if (sample->state == 'R' || sample->state == '?') {
        sink_puts(sink, sample->state == 'R' ? "is running" : "could not be looked at");
        return;
    }
    sink_puts(sink, "has been in ");
    put_call(sink, diagnosis, thread);
    sink_puts(sink, " ");
    put_how_long(sink, diagnosis, &thread, 1);
    put_on(sink, wait);
}

void put_opener(struct sink *sink, const struct diagnosis *diagnosis, const struct origin *opener)
{
    if (!opener || opener->frame_count == 0)
        return;
    sink_puts(sink, ", opened by ");
    place_write(sink, diagnosis->facts->symbolizer, opener->frames[0]);
}

void put_bytes(struct sink *sink, uint64_t bytes)
{
    static const char *const units[] = { "kB", "MB", "GB", "TB" };
    if (bytes < 1000) {
        sink_printf(sink, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
        return;
    }
    size_t unit = 0;
    uint64_t tenths = bytes / 100; /* of a kB */
    for (; tenths >= 10000 && unit < 3; unit++)
        tenths /= 1000;
    if (tenths < 100)
        sink_printf(sink, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
    else
        sink_printf(sink, "%" PRIu64 " %s", tenths / 10, units[unit]);
}
