/* fds_kinds.h: what a descriptor is, as far as its link tells. */
#ifndef SNAG_SOURCES_FDS_KINDS_H
#define SNAG_SOURCES_FDS_KINDS_H

#include <stdbool.h>
#include <stddef.h>

struct descriptor;

/* The kinds that are compared by pointer elsewhere: each is the one string of its name. */
extern const char kind_file[], kind_directory[], kind_device[], kind_fifo[], kind_pipe[],
    kind_socket[], kind_tcp[], kind_udp[], kind_unix[], kind_netlink[], kind_packet[], kind_raw[],
    kind_epoll[], kind_eventfd[], kind_timerfd[], kind_signalfd[], kind_inotify[], kind_fanotify[],
    kind_memfd[], kind_pidfd[], kind_io_uring[], kind_namespace[], kind_anon[], kind_unknown[];

/* Fills kind, target, inode and `deleted` from LINK (LENGTH bytes, terminated, kept and changed to
 * be the target; NULL without memory). */
void fd_kind_of_link(struct descriptor *descriptor, char *link, size_t length);

/* The link is longer than the kernel tells: only files have such. */
void fd_kind_of_long_path(struct descriptor *descriptor);

/* Nothing is known; WHY is kept as the target. */
void fd_kind_unknown(struct descriptor *descriptor, const char *why);

/* Whether it has a name in a file system, so that its type is to be asked there. */
bool fd_kind_has_path(const struct descriptor *descriptor);

#endif
