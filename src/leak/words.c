/* words.c: what was leaked, in words.
 *
 * The verdict in one line, then a block for each kind of leak: threads that hang in the same stack,
 * descriptors that were opened by the same. */
#include "leak/found.h"

#include "base/sink.h"
#include "reports/picture.h"
#include "reports/reports.h"
#include "sources/fds.h"
#include "sources/inventories.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "views/fds_text.h"
#include "views/frames.h"
#include "views/thread_words.h"
#include "waits/waits.h"

#include <inttypes.h>
#include <string.h>

#define NAMED 8 /* numbers of one group that are listed */

static void write_part(struct sink *sink, const char **before, size_t count, const char *what)
{
    if (count == 0)
        return;
    sink_printf(sink, "%s%zu %s%s", *before, count, what, count == 1 ? "" : "s");
    *before = ", ";
}

static void write_verdict(struct sink *sink, const struct found *found)
{
    size_t all = found->thread_count + found->fd_count + found->handle_count;
    const char *before = ": ";
    sink_printf(sink, "snag: %zu leak%s", all, all == 1 ? "" : "s");
    write_part(sink, &before, found->thread_count, "thread");
    write_part(sink, &before, found->fd_count, "descriptor");
    write_part(sink, &before, found->handle_count, "handle");
    sink_puts(sink, "\n");
}

static bool same_frames(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count)
{
    return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * sizeof *a) == 0);
}

static void write_origin(struct sink *sink, const char *done, const struct origin *origin,
                         struct symbolizer *symbolizer)
{
    sink_printf(sink, "    %s by %s in thread %d\n", done, origin->call, (int)origin->tid);
    frames_write(sink, origin->frames, origin->frame_count, symbolizer, "    ", 0);
    if (origin->partial)
        sink_printf(sink, "    the rest is missing: %s\n", origin->partial);
}

static bool alike_threads(const struct leaked_thread *a, const struct leaked_thread *b)
{
    return strcmp(a->thread->name, b->thread->name) == 0 &&
           same_frames(a->thread->frames, a->thread->frame_count, b->thread->frames,
                       b->thread->frame_count) &&
           (a->origin != NULL) == (b->origin != NULL) &&
           (!a->origin || a->origin->frames == b->origin->frames);
}

static void write_thread(struct sink *sink, const struct leaked_thread *leaked,
                         struct symbolizer *symbolizer)
{
    sink_puts(sink, "    \"");
    sink_plain(sink, leaked->thread->name);
    sink_puts(sink, "\", in ");
    thread_write_doing(sink, leaked->thread);
    if (leaked->wait->text) {
        sink_puts(sink, ", waiting for ");
        sink_plain(sink, leaked->wait->text);
    }
    sink_puts(sink, "\n");
    thread_write_stack(sink, leaked->thread, symbolizer, "    ", 0);
    if (leaked->origin)
        write_origin(sink, "started", leaked->origin, symbolizer);
}

/* Has no earlier one that is like number AT. */
static bool is_first_thread(const struct found *found, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (alike_threads(&found->threads[i], &found->threads[at]))
            return false;
    return true;
}

static void write_threads(struct sink *sink, const struct found *found,
                          struct symbolizer *symbolizer)
{
    for (size_t i = 0; i < found->thread_count; i++) {
        if (!is_first_thread(found, i))
            continue;
        size_t count = 0;
        for (size_t j = i; j < found->thread_count; j++)
            count += alike_threads(&found->threads[i], &found->threads[j]);
        sink_printf(sink, "\nleaked %zu thread%s:", count, count == 1 ? "" : "s");
        size_t named = 0;
        for (size_t j = i; j < found->thread_count && named < NAMED; j++)
            if (alike_threads(&found->threads[i], &found->threads[j])) {
                sink_printf(sink, " %d", (int)found->threads[j].thread->tid);
                named++;
            }
        sink_puts(sink, count > named ? " ...\n" : "\n");
        write_thread(sink, &found->threads[i], symbolizer);
    }
}

static bool alike_fds(const struct descriptor *a, const struct descriptor *b)
{
    return a->has_origin && b->has_origin && a->origin.frames == b->origin.frames &&
           strcmp(a->kind, b->kind) == 0;
}

static void write_fd(struct sink *sink, const struct descriptor *descriptor)
{
    sink_printf(sink, "    fd %d: %s", descriptor->fd, descriptor->kind);
    if (descriptor->state)
        sink_printf(sink, " %s", descriptor->state);
    sink_puts(sink, ", ");
    sink_plain(sink, descriptor->target);
    sink_puts(sink, "\n");
}

static bool is_first_fd(const struct found *found, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (alike_fds(found->fds[i], found->fds[at]))
            return false;
    return true;
}

/* Those whose opener is not known stand together, one line each. */
static void write_fds(struct sink *sink, const struct found *found, struct symbolizer *symbolizer)
{
    size_t unknown = 0;
    for (size_t i = 0; i < found->fd_count; i++) {
        const struct descriptor *first = found->fds[i];
        unknown += !first->has_origin;
        if (!first->has_origin || !is_first_fd(found, i))
            continue;
        size_t count = 0;
        for (size_t j = i; j < found->fd_count; j++)
            count += alike_fds(first, found->fds[j]);
        sink_printf(sink, "\nleaked %zu descriptor%s:\n", count, count == 1 ? "" : "s");
        for (size_t j = i, named = 0; j < found->fd_count && named < NAMED; j++)
            if (alike_fds(first, found->fds[j])) {
                write_fd(sink, found->fds[j]);
                named++;
            }
        if (count > NAMED)
            sink_printf(sink, "    and %zu more\n", count - NAMED);
        write_origin(sink, "opened", &first->origin, symbolizer);
    }
    if (unknown > 0)
        sink_printf(sink, "\nleaked %zu descriptor%s, opened by whom is not known:\n", unknown,
                    unknown == 1 ? "" : "s");
    for (size_t i = 0; i < found->fd_count; i++)
        if (!found->fds[i]->has_origin)
            write_fd(sink, found->fds[i]);
}

static void write_handles(struct sink *sink, const struct leaked_handles *leaked,
                          struct symbolizer *symbolizer)
{
    const struct handle_holding *holding = leaked->holding;
    const struct pooled_stack *stack = &holding->stack;
    sink_printf(sink, "\nleaked %" PRIu64 " handle%s of %s", holding->since_count,
                holding->since_count == 1 ? "" : "s", leaked->inventory);
    if (holding->since_bytes > 0) {
        sink_puts(sink, ", ");
        fds_write_bytes(sink, holding->since_bytes);
    }
    sink_puts(sink, ":");
    for (size_t i = 0; i < holding->oldest_count; i++)
        sink_printf(sink, " 0x%" PRIx64, holding->oldest[i].handle);
    sink_puts(sink, holding->since_count > holding->oldest_count ? " ...\n" : "\n");
    frames_write(sink, stack->frames, stack->count, symbolizer, "    ", 0);
    if (stack->partial)
        sink_printf(sink, "    the rest is missing: %s\n", stack->partial);
}

void found_write(struct sink *sink, const struct found *found, struct lab *lab)
{
    write_verdict(sink, found);
    write_threads(sink, found, lab->symbolizer);
    write_fds(sink, found, lab->symbolizer);
    for (size_t i = 0; i < found->holding_count; i++)
        write_handles(sink, &found->handles[i], lab->symbolizer);
    if (found->thread_count + found->fd_count > 0 && !found->picture->fds->tracked)
        sink_puts(sink, "\nWho started a thread and who opened a descriptor is known with "
                        "libsnag-track: link snag::track,\nor run the tests by `snag run`.\n");
}
