/* lines.c: the monitor's line; see lines.h. */
#include "watch/lines.h"

#include "base/sink.h"
#include "views/fds_text.h"

#include <stdbool.h>

static void write_change(struct sink *sink, long now, long before)
{
    sink_puts(sink, now < before ? "-" : "+");
    fds_write_count(sink, now < before ? (uint64_t)(before - now) : (uint64_t)(now - before));
}

/* "412 threads (+3)", nothing where it is not known. */
static void write_count(struct sink *sink, const char **separator, long now, const char *what,
                        const long *before)
{
    if (now < 0)
        return;
    sink_puts(sink, *separator);
    *separator = ", ";
    fds_write_count(sink, (uint64_t)now);
    sink_printf(sink, " %s", what);
    if (before && *before >= 0) {
        sink_puts(sink, " (");
        write_change(sink, now, *before);
        sink_puts(sink, ")");
    }
}

unsigned counts_fd_percent(const struct counts *counts)
{
    if (counts->fds < 0 || counts->fd_limit == 0 || counts->fd_limit == UINT64_MAX)
        return 0;
    return (unsigned)((uint64_t)counts->fds * 100 / counts->fd_limit);
}

static void write_fds(struct sink *sink, const char **separator, const struct counts *now,
                      const struct counts *before)
{
    if (now->fd_limit == 0 || now->fd_limit == UINT64_MAX) {
        write_count(sink, separator, now->fds, "descriptors", before ? &before->fds : NULL);
        return;
    }
    if (now->fds < 0)
        return;
    sink_puts(sink, *separator);
    *separator = ", ";
    fds_write_count(sink, (uint64_t)now->fds);
    sink_puts(sink, " of ");
    fds_write_count(sink, now->fd_limit);
    sink_printf(sink, " descriptors (%u %%", counts_fd_percent(now));
    if (before && before->fds >= 0) {
        sink_puts(sink, ", ");
        write_change(sink, now->fds, before->fds);
    }
    sink_puts(sink, ")");
}

void line_write_counts(struct sink *sink, const struct counts *now, const struct counts *before)
{
    const char *separator = "";
    write_count(sink, &separator, now->threads, "threads", before ? &before->threads : NULL);
    write_fds(sink, &separator, now, before);
    for (size_t i = 0; i < now->inventory_count; i++) {
        bool was_there = before && i < before->inventory_count;
        write_count(sink, &separator, now->inventories[i].live, now->inventories[i].name,
                    was_there ? &before->inventories[i].live : NULL);
    }
}
