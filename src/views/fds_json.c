/* fds_json.c: /debug/fds?format=json, everything known, for scripts.
 *
 * What is not known is null, never left out. Inodes are strings, as JSON readers lose
 * the low bits of 64-bit numbers. */
#include "views/fds_view.h"

#include "base/sink.h"
#include "sources/fds.h"
#include "views/fds_text.h"
#include "views/frames.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

static void put_text(struct sink *sink, const char *key, const char *text)
{
    sink_printf(sink, ", \"%s\": ", key);
    sink_json_string(sink, text);
}

static void put_number(struct sink *sink, const char *key, bool known, int64_t number)
{
    if (known)
        sink_printf(sink, ", \"%s\": %" PRId64, key, number);
    else
        sink_printf(sink, ", \"%s\": null", key);
}

static void put_flags(struct sink *sink, int flags)
{
    sink_puts(sink, ", \"flags\": ");
    if (flags < 0) {
        sink_puts(sink, "null");
        return;
    }
    sink_puts(sink, "\"");
    fds_write_flags(sink, flags);
    sink_puts(sink, "\"");
}

static void put_origin(struct sink *sink, const struct fd_dump *dump,
                       const struct descriptor *descriptor, struct symbolizer *symbolizer)
{
    const struct origin *origin = &descriptor->origin;
    uint64_t age = fds_age_ns(dump, descriptor);
    sink_puts(sink, ",\n   \"opened\": ");
    if (!descriptor->has_origin) {
        sink_puts(sink, "null");
        return;
    }
    sink_puts(sink, "{\"call\": ");
    sink_json_string(sink, origin->call);
    put_number(sink, "tid", origin->tid > 0, origin->tid);
    put_number(sink, "age_ns", age > 0, (int64_t)age);
    put_text(sink, "partial", origin->partial);
    sink_puts(sink, ", \"frames\": ");
    frames_write_json(sink, origin->frames, origin->frame_count, symbolizer);
    sink_puts(sink, "}");
}

static void put_descriptor(struct sink *sink, const struct fd_dump *dump,
                           const struct descriptor *descriptor, struct symbolizer *symbolizer)
{
    sink_printf(sink, "\n  {\"fd\": %d", descriptor->fd);
    put_text(sink, "kind", descriptor->kind);
    sink_printf(sink, ", \"kind_is_sure\": %s", descriptor->kind_is_sure ? "true" : "false");
    put_text(sink, "state", descriptor->state);
    put_text(sink, "target", descriptor->target);
    put_text(sink, "local", descriptor->local);
    put_text(sink, "peer", descriptor->peer);
    put_text(sink, "detail", descriptor->detail);
    if (descriptor->inode > 0)
        sink_printf(sink, ", \"inode\": \"%" PRIu64 "\"", descriptor->inode);
    else
        sink_puts(sink, ", \"inode\": null");
    sink_printf(sink, ", \"deleted\": %s", descriptor->deleted ? "true" : "false");
    put_flags(sink, descriptor->flags);
    put_number(sink, "position", descriptor->position >= 0, descriptor->position);
    sink_printf(sink, ", \"accepted\": %s", descriptor->accepted ? "true" : "false");
    put_number(sink, "unread", descriptor->queues_known, (int64_t)descriptor->unread);
    put_number(sink, "unsent", descriptor->queues_known, (int64_t)descriptor->unsent);
    sink_printf(sink, ", \"queues_are_memory\": %s",
                descriptor->queues_are_memory ? "true" : "false");
    put_number(sink, "watched", strcmp(descriptor->kind, "epoll") == 0,
               (int64_t)descriptor->watched);
    put_number(sink, "other_end", descriptor->other_end >= 0, descriptor->other_end);
    put_origin(sink, dump, descriptor, symbolizer);
    sink_puts(sink, "}");
}

void fds_write_json(struct sink *sink, const struct fd_dump *dump, struct symbolizer *symbolizer)
{
    sink_printf(sink, "{\"time_ns\": %" PRIu64 ", \"took_ns\": %" PRIu64 ", \"count\": %zu",
                dump->time_ns, dump->took_ns, dump->count);
    put_number(sink, "limit", dump->limit > 0, (int64_t)dump->limit);
    put_text(sink, "sockets_by", dump->sockets_by);
    sink_printf(sink,
                ", \"tracked\": %s,\n \"listed_all\": %s, \"not_looked_at\": %zu, "
                "\"own_among_them\": %s,\n \"fds\": [",
                dump->tracked ? "true" : "false", dump->listed_all ? "true" : "false",
                dump->not_looked_at, dump->own_among_them ? "true" : "false");
    for (size_t i = 0; i < dump->count && !sink->error; i++) {
        sink_puts(sink, i ? "," : "");
        put_descriptor(sink, dump, &dump->descriptors[i], symbolizer);
    }
    sink_puts(sink, "]}\n");
}
