/* fds.h: every open descriptor of the target, with what it leads to.
 *
 * Listed from /proc/PID/fd and fdinfo; sockets by sock_diag, or from /proc/PID/net
 * where that is refused. The service's files are never opened, and asked for their
 * type only where their file system is known to answer from memory: a dead network mount must
 * not hold up a dump. What is not known is said to be so, never guessed. */
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
    const char *kind;   /* "file", "directory", "pipe", "fifo", "unix", "tcp", "udp", "netlink",
                           "packet", "raw", "socket" (any other), "epoll", "eventfd", "timerfd",
                           "signalfd", "inotify", "fanotify", "memfd", "pidfd", "io_uring",
                           "device", "namespace", "anon" (an anonymous inode not known here),
                           "unknown" (the time budget was used up) */
    bool kind_is_sure;  /* false: a "file" or "device" by its path, not asked whether it is a
                           directory or a FIFO; a socket whose protocol could not be had */
    const char *state;  /* TCP's "CLOSE_WAIT" ..., with "unconnected" for CLOSE; other sockets
                           "LISTEN", "CONNECTED", "PEER_CLOSED" (unix), "unconnected";
                           "unknown" for a socket that is not in the kernel's lists; NULL without */
    const char *target; /* in words: a path, "127.0.0.1:5000 -> 127.0.0.1:80", "pipe:[123], other
                           end is fd 7"; never NULL */
    const char *local;  /* sockets: the own address; NULL without */
    const char *peer;   /* ... and the other's */
    const char *detail; /* more for debug=2, NULL without: an epoll's watched descriptors, a
                           timerfd's clock and time, an eventfd's count, a signalfd's signals */
    uint64_t inode;     /* 0 unknown */
    bool accepted;      /* tcp: it came in, as somebody listens on its own port */
    bool deleted;       /* the file has no name any more */
    int access;         /* O_RDONLY, O_WRONLY, O_RDWR, O_PATH; -1 not read */
    int flags;          /* O_ flags of open(2), from fdinfo; -1 not read */
    int64_t position;   /* in the file; -1 without or not read */
    bool queues_known;  /* the two below */
    bool queues_are_memory; /* ... count the kernel's memory for them, which is more than the
                               bytes: datagram sockets */
    uint64_t unread;        /* bytes that arrived and were not read */
    uint64_t unsent;        /* bytes written that the peer has not acknowledged or taken */
    size_t watched;         /* of an epoll: how many descriptors it watches */
    int other_end;          /* of a pipe or unix pair within the process: a descriptor of the other
                               end; -1 */
    bool has_origin;        /* tracking knows who opened it */
    struct origin origin;   /* frames in the dump's arena; the same pointer for the same stack */
};

struct fd_dump {
    struct arena arena;             /* owns all below */
    struct descriptor *descriptors; /* by ascending fd */
    size_t count;
    uint64_t limit;        /* RLIMIT_NOFILE, soft; 0 unknown */
    uint64_t time_ns;      /* CLOCK_REALTIME */
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC, for ages */
    uint64_t took_ns;
    bool with_details;
    bool tracked;           /* libsnag-track is in the process */
    bool listed_all;        /* false: the list could not be read to its end */
    bool own_among_them;    /* the listener has no table of its own: some of these are its */
    size_t not_looked_at;   /* of kind "unknown" */
    const char *sockets_by; /* "sock_diag", "/proc/net", "sock_diag and /proc/net", or why sockets
                               are not told apart; NULL when there are none */
};

struct fd_source;

/* TRACKING must outlive it, and may be NULL: nothing is known of openers then. NULL without
 * memory. */
struct fd_source *fd_source_new(struct target *target, struct tracking *tracking);
void fd_source_free(struct fd_source *source);

/* Makes one dump. 0, or a negative errno with *DUMP untouched. WITH_DETAILS reads every
 * descriptor's fdinfo (position, flags, detail), which costs 10 us each; without it only of those
 * whose kind or target depends on it, and of paths only the first hundred different ones.
 * Descriptors listed after BUDGET_NS are plain ones. */
int fd_source_dump(struct fd_source *source, bool with_details, uint64_t budget_ns,
                   struct fd_dump **dump);

/* The same of the COUNT descriptors in FDS alone, ascending and different; those that are not open
 * are left out. Other ends are found among them only. */
int fd_source_look(struct fd_source *source, const int *fds, size_t count, uint64_t budget_ns,
                   struct fd_dump **dump);
void fd_dump_free(struct fd_dump *dump);

/* The descriptor FD in DUMP, or NULL. */
const struct descriptor *fd_dump_find(const struct fd_dump *dump, int fd);

/* How many are open now; negative errno. */
long fd_source_count(struct fd_source *source);

/* Gives back the memory that is kept between dumps. */
void fd_source_trim(struct fd_source *source);

#endif
