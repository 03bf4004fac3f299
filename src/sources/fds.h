/* fds.h: every open descriptor of the target, with what it leads to.
 *
 * Listed from /proc/PID/fd and fdinfo; sockets by sock_diag, or from /proc/PID/net
 * where that is refused. The service's files are never opened, nor
 * asked by stat: a dead network mount must not hold up a dump. */
#ifndef SNAG_SOURCES_FDS_H
#define SNAG_SOURCES_FDS_H

#include "base/arena.h"
#include "sources/tracking.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target;

struct descriptor {
    int fd;
    const char *kind;     /* "file", "directory", "pipe", "fifo", "unix", "tcp", "udp", "netlink",
                             "packet", "raw", "socket" (any other), "epoll", "eventfd", "timerfd",
                             "signalfd", "inotify", "fanotify", "memfd", "pidfd", "io_uring",
                             "device", "namespace", "anon" (an anonymous inode not known here) */
    const char *state;    /* TCP's "CLOSE_WAIT" ..., unix "LISTEN"/"CONNECTED"; NULL without */
    const char *target;   /* in words: a path, "127.0.0.1:5000 -> 127.0.0.1:80", "pipe:[123], other
                             end is fd 7"; never NULL */
    const char *local;    /* sockets: the own address; NULL without */
    const char *peer;     /* ... and the other's */
    const char *detail;   /* more for debug=2, NULL without: an epoll's watched descriptors, a
                             timerfd's clock and time, an eventfd's count, a signalfd's signals */
    uint64_t inode;       /* 0 unknown */
    bool deleted;         /* the file has no name any more */
    int flags;            /* O_ flags of open(2), from fdinfo; -1 not read */
    int64_t position;     /* in the file; -1 without or not read */
    bool queues_known;    /* the two below */
    uint64_t unread;      /* bytes that arrived and were not read */
    uint64_t unsent;      /* bytes written that the peer has not acknowledged or taken */
    size_t watched;       /* of an epoll: how many descriptors it watches */
    int other_end;        /* of a pipe or unix pair within the process: a descriptor of the other
                             end; -1 */
    bool has_origin;      /* tracking knows who opened it */
    struct origin origin; /* frames in the dump's arena */
};

struct fd_dump {
    struct arena arena;             /* owns all below */
    struct descriptor *descriptors; /* by ascending fd */
    size_t count;
    uint64_t limit;        /* RLIMIT_NOFILE, soft; 0 unknown */
    uint64_t time_ns;      /* CLOCK_REALTIME */
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC, for ages */
    uint64_t took_ns;
    bool tracked;           /* libsnag-track is in the process */
    bool listed_all;        /* false: the list could not be read to its end */
    const char *sockets_by; /* "sock_diag", "/proc/net", or why sockets are not told apart */
};

struct fd_source;

/* TRACKING must outlive it. NULL without memory. */
struct fd_source *fd_source_new(struct target *target, struct tracking *tracking);
void fd_source_free(struct fd_source *source);

/* Makes one dump. 0, or a negative errno with *DUMP untouched. WITH_DETAILS reads every
 * descriptor's fdinfo (position, flags, detail), which costs 10 us each; without it only of those
 * whose kind or target depends on it. Descriptors listed after BUDGET_NS are plain ones. */
int fd_source_dump(struct fd_source *source, bool with_details, uint64_t budget_ns,
                   struct fd_dump **dump);
void fd_dump_free(struct fd_dump *dump);

/* The descriptor FD in DUMP, or NULL. */
const struct descriptor *fd_dump_find(const struct fd_dump *dump, int fd);

/* How many are open now; negative errno. */
long fd_source_count(struct fd_source *source);

#endif
