/* fds_blocks.c: debug=2, a block per descriptor with everything known about it.
 *
 * By number, so that one from a log line or from strace is found at once. */
#include "views/fds_view.h"

#include "base/sink.h"
#include "sources/fds.h"
#include "views/fds_text.h"
#include "views/frames.h"

#include <inttypes.h>

/* "unread 512 bytes, unsent 0 bytes" */
static void write_queues(struct sink *sink, const struct descriptor *descriptor)
{
    const char *what = descriptor->queues_are_memory ? " of kernel memory" : "";
    if (!descriptor->queues_known)
        return;
    sink_puts(sink, "     unread ");
    fds_write_bytes(sink, descriptor->unread);
    sink_printf(sink, "%s, unsent ", what);
    fds_write_bytes(sink, descriptor->unsent);
    sink_printf(sink, "%s\n", what);
}

static void write_file(struct sink *sink, const struct descriptor *descriptor)
{
    const char *before = "     ";
    if (descriptor->flags >= 0) {
        sink_printf(sink, "%sflags ", before);
        fds_write_flags(sink, descriptor->flags);
        before = ", ";
    }
    if (descriptor->position >= 0) {
        sink_printf(sink, "%sposition %" PRId64, before, descriptor->position);
        before = ", ";
    }
    if (descriptor->inode > 0) {
        sink_printf(sink, "%sinode %" PRIu64, before, descriptor->inode);
        before = ", ";
    }
    if (before[0] == ',')
        sink_puts(sink, "\n");
}

static void write_origin(struct sink *sink, const struct fd_dump *dump,
                         const struct descriptor *descriptor, struct symbolizer *symbolizer)
{
    const struct origin *origin = &descriptor->origin;
    uint64_t age = fds_age_ns(dump, descriptor);
    if (!descriptor->has_origin)
        return;
    sink_printf(sink, "     opened by %s()", origin->call ? origin->call : "?");
    if (origin->tid > 0)
        sink_printf(sink, " in thread %d", (int)origin->tid);
    if (age > 0) {
        sink_puts(sink, " ");
        sink_duration(sink, age);
        sink_puts(sink, " ago");
    }
    sink_puts(sink, "\n");
    frames_write(sink, origin->frames, origin->frame_count, symbolizer, "     ", 1);
    if (origin->partial)
        sink_printf(sink, "     the rest is missing: %s\n", origin->partial);
}

static void write_block(struct sink *sink, const struct fd_dump *dump,
                        const struct descriptor *descriptor, struct symbolizer *symbolizer)
{
    sink_printf(sink, "\nfd %d: %s", descriptor->fd, descriptor->kind);
    if (!descriptor->kind_is_sure)
        sink_puts(sink, " (not certain)");
    if (descriptor->state)
        sink_printf(sink, " %s", descriptor->state);
    sink_puts(sink, ", ");
    sink_plain(sink, descriptor->target);
    sink_puts(sink, "\n");
    if (descriptor->detail) {
        sink_puts(sink, "     ");
        sink_plain(sink, descriptor->detail);
        sink_puts(sink, "\n");
    }
    write_queues(sink, descriptor);
    write_file(sink, descriptor);
    write_origin(sink, dump, descriptor, symbolizer);
}

void fds_write_blocks(struct sink *sink, const struct fd_dump *dump, struct symbolizer *symbolizer)
{
    fds_write_totals(sink, dump);
    for (size_t i = 0; i < dump->count && !sink->error; i++)
        write_block(sink, dump, &dump->descriptors[i], symbolizer);
}
