/* fds_kinds.c: from a link of /proc/PID/fd to what it is; see fds_kinds.h.
 *
 * What has no name in a file system shows its kind in the link itself
 * ("socket:[123]", "anon_inode:[eventpoll]"). A path may be a regular file, a
 * directory, a FIFO or a device: that is found out later (fds_types.c). The one thing that
 * a link leaves open for good is a file whose name really ends in " (deleted)". */
#include "sources/fds_kinds.h"

#include "sources/fds.h"

#include <string.h>

const char kind_file[] = "file";
const char kind_directory[] = "directory";
const char kind_device[] = "device";
const char kind_fifo[] = "fifo";
const char kind_pipe[] = "pipe";
const char kind_socket[] = "socket";
const char kind_tcp[] = "tcp";
const char kind_udp[] = "udp";
const char kind_unix[] = "unix";
const char kind_netlink[] = "netlink";
const char kind_packet[] = "packet";
const char kind_raw[] = "raw";
const char kind_epoll[] = "epoll";
const char kind_eventfd[] = "eventfd";
const char kind_timerfd[] = "timerfd";
const char kind_signalfd[] = "signalfd";
const char kind_inotify[] = "inotify";
const char kind_fanotify[] = "fanotify";
const char kind_memfd[] = "memfd";
const char kind_pidfd[] = "pidfd";
const char kind_io_uring[] = "io_uring";
const char kind_namespace[] = "namespace";
const char kind_anon[] = "anon";
const char kind_unknown[] = "unknown";

static const struct {
    const char *prefix;
    const char *kind;
    bool is_sure;
} links[] = {
    /* More special ones first. "/dev/shm" and the like hold files. */
    { "/memfd:", kind_memfd, true },
    { "/dmabuf:", kind_anon, true },
    { "/secretmem (deleted)", kind_anon, true },
    { "/dev/shm/", kind_file, false },
    { "/dev/mqueue/", kind_file, false },
    { "/dev/hugepages/", kind_file, false },
    { "/dev/", kind_device, false },
    { "/", kind_file, false },
    { "socket:[", kind_socket, false },
    { "pipe:[", kind_pipe, true },
    { "anon_inode:[eventpoll]", kind_epoll, true },
    { "anon_inode:[eventfd]", kind_eventfd, true },
    { "anon_inode:[timerfd]", kind_timerfd, true },
    { "anon_inode:[signalfd]", kind_signalfd, true },
    { "anon_inode:inotify", kind_inotify, true },
    { "anon_inode:[inotify]", kind_inotify, true },
    { "anon_inode:[fanotify]", kind_fanotify, true },
    { "anon_inode:[pidfd]", kind_pidfd, true },
    { "pidfd:[", kind_pidfd, true },
    { "anon_inode:[io_uring]", kind_io_uring, true },
    { "cgroup:[", kind_namespace, true },
    { "ipc:[", kind_namespace, true },
    { "mnt:[", kind_namespace, true },
    { "net:[", kind_namespace, true },
    { "pid:[", kind_namespace, true },
    { "time:[", kind_namespace, true },
    { "user:[", kind_namespace, true },
    { "uts:[", kind_namespace, true },
    { "", kind_anon, true },
};

/* The number in "socket:[123]"; 0 without. */
static uint64_t inode_of(const char *link)
{
    uint64_t inode = 0;
    const char *digit = strstr(link, ":[");
    for (digit = digit ? digit + 2 : ""; *digit >= '0' && *digit <= '9'; digit++)
        inode = inode * 10 + (uint64_t)(*digit - '0');
    return inode;
}

void fd_kind_of_link(struct descriptor *descriptor, char *link, size_t length)
{
    static const char deleted[] = " (deleted)";
    const size_t suffix = sizeof deleted - 1;
    size_t i = 0;
    descriptor->target = link;
    if (!link)
        return;
    while (strncmp(link, links[i].prefix, strlen(links[i].prefix)) != 0)
        i++;
    descriptor->kind = links[i].kind;
    descriptor->kind_is_sure = links[i].is_sure;
    bool has_suffix = length > suffix && strcmp(link + length - suffix, deleted) == 0;
    if (link[0] != '/') {
        descriptor->inode = inode_of(link);
    } else if (!links[i].is_sure) {
        descriptor->deleted = has_suffix;
    } else { /* "/memfd:NAME (deleted)" has never had another name */
        descriptor->target++;
        if (has_suffix)
            link[length - suffix] = 0;
    }
}

void fd_kind_of_long_path(struct descriptor *descriptor)
{
    descriptor->kind = kind_file;
    descriptor->target = "(a path that is too long for the kernel to tell)";
}

void fd_kind_unknown(struct descriptor *descriptor, const char *why)
{
    descriptor->kind = kind_unknown;
    descriptor->target = why;
}

bool fd_kind_has_path(const struct descriptor *descriptor)
{
    return descriptor->kind == kind_file || descriptor->kind == kind_device ||
           descriptor->kind == kind_directory || descriptor->kind == kind_fifo;
}
