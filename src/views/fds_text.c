/* fds_text.c: the words of a dump of descriptors; see fds_text.h. */
#include "views/fds_text.h"

#include "base/sink.h"
#include "sources/fds.h"
#include "views/frames.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

void fds_write_count(struct sink *sink, uint64_t count)
{
    if (count >= 1000) {
        fds_write_count(sink, count / 1000);
        sink_printf(sink, ",%03" PRIu64, count % 1000);
    } else {
        sink_printf(sink, "%" PRIu64, count);
    }
}

void fds_write_bytes(struct sink *sink, uint64_t bytes)
{
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
    if (bytes < 1000) {
        sink_printf(sink, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
        return;
    }
    size_t unit = 0;
    for (; bytes >= 1000000; bytes /= 1000)
        unit++;
    sink_printf(sink, "%" PRIu64 ".%" PRIu64 " %s", bytes / 1000, bytes / 100 % 10, units[unit]);
}

void fds_write_flags(struct sink *sink, int flags)
{
    static const struct {
        int bits;
        const char *name;
    } names[] = {
        { O_PATH, "O_PATH" },         { O_APPEND, "O_APPEND" },       { O_NONBLOCK, "O_NONBLOCK" },
        { O_TMPFILE, "O_TMPFILE" },   { O_DIRECTORY, "O_DIRECTORY" }, { O_SYNC, "O_SYNC" },
        { O_DSYNC, "O_DSYNC" },       { O_DIRECT, "O_DIRECT" },       { O_NOATIME, "O_NOATIME" },
        { O_NOFOLLOW, "O_NOFOLLOW" }, { O_ASYNC, "O_ASYNC" },         { O_CLOEXEC, "O_CLOEXEC" },
    };
    int access = flags & O_ACCMODE;
    sink_puts(sink, access == O_RDONLY ? "O_RDONLY" : access == O_WRONLY ? "O_WRONLY" : "O_RDWR");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if ((flags & names[i].bits) != names[i].bits)
            continue;
        sink_printf(sink, "|%s", names[i].name);
        flags &= ~names[i].bits; /* O_SYNC holds O_DSYNC, O_TMPFILE holds O_DIRECTORY */
    }
}

void fds_write_queues(struct sink *sink, uint64_t unread, uint64_t unsent, bool are_memory)
{
    const char *what = are_memory ? " of kernel memory" : "";
    if (unread > 0) {
        sink_puts(sink, ", ");
        fds_write_bytes(sink, unread);
        sink_printf(sink, "%s unread", what);
    }
    if (unsent > 0) {
        sink_puts(sink, ", ");
        fds_write_bytes(sink, unsent);
        sink_printf(sink, "%s unsent", what);
    }
}

static bool is_path(const struct descriptor *descriptor)
{
    return descriptor->target[0] == '/';
}

size_t fds_not_asked(const struct fd_dump *dump)
{
    size_t count = 0;
    for (size_t i = 0; i < dump->count; i++)
        count += !dump->descriptors[i].kind_is_sure && is_path(&dump->descriptors[i]);
    return count;
}

bool fds_is_socket(const struct descriptor *descriptor)
{
    static const char *const kinds[] = {
        "tcp", "udp", "unix", "netlink", "packet", "raw", "socket"
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(descriptor->kind, kinds[i]) == 0)
            return true;
    return false;
}

void fds_write_totals(struct sink *sink, const struct fd_dump *dump)
{
    size_t not_asked = fds_not_asked(dump);
    if (dump->limit > 0)
        sink_printf(sink, "%zu of %" PRIu64 " descriptors open (%" PRIu64 " %%)\n", dump->count,
                    dump->limit, (uint64_t)dump->count * 100 / dump->limit);
    else
        sink_printf(sink, "%zu descriptor%s open\n", dump->count, dump->count == 1 ? "" : "s");
    if (!dump->tracked)
        sink_puts(sink, "who opened them is not known: libsnag-track is not in the process\n");
    if (dump->sockets_by && strcmp(dump->sockets_by, "sock_diag") != 0)
        sink_printf(sink, "sockets by %s\n", dump->sockets_by);
    if (not_asked > 0)
        sink_printf(sink,
                    "%zu path%s not asked for the type: among \"file\" and \"device\" may be "
                    "directories and FIFOs\n",
                    not_asked, not_asked == 1 ? " was" : "s were");
    if (dump->not_looked_at > 0)
        sink_printf(sink, "%zu descriptors were not looked at: the time was used up\n",
                    dump->not_looked_at);
    if (!dump->listed_all)
        sink_puts(sink, "the list could not be read to its end: some descriptors are missing\n");
    if (dump->own_among_them)
        sink_puts(sink, "the listener's own descriptors are among them: the system gives it no "
                        "table of its own\n");
}

void fds_write_opener(struct sink *sink, const struct descriptor *descriptor,
                      struct symbolizer *symbolizer)
{
    const struct origin *origin = &descriptor->origin;
    if (origin->frame_count == 0 && origin->call)
        sink_puts(sink, origin->call);
    else
        frames_write_place(sink, origin->frames, origin->frame_count, symbolizer);
}

uint64_t fds_age_ns(const struct fd_dump *dump, const struct descriptor *descriptor)
{
    if (!descriptor->has_origin || descriptor->origin.time_ns == 0 ||
        descriptor->origin.time_ns >= dump->monotonic_ns)
        return 0;
    return dump->monotonic_ns - descriptor->origin.time_ns;
}
