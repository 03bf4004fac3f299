/* waits.h: what each blocked thread waits on, and who waits for whom.
 *
 * From a thread's system call, its arguments, the memory they point to and the
 * function that made it follows what it waits for: a descriptor, a lock, another
 * thread, a time. Where the lock names its owner, that is an edge thread ->
 * thread; threads on a cycle of such edges, and those behind one, can never go on.
 *
 * A name may be of a moment later than the stack. What is said of `never` and `cycle` is
 * proven: every thread that it rests on has not run from its capture until after
 * the locks were read twice. */
#ifndef SNAG_WAITS_WAITS_H
#define SNAG_WAITS_WAITS_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fd_dump;
struct fd_source;
struct modules;
struct symbolizer;
struct target;
struct thread_dump;
struct thread_source;
struct unwinder;

enum wait_kind {
    WAIT_NONE,  /* running */
    WAIT_FAULT, /* blocked outside a system call: a page that does not come */
    WAIT_OTHER, /* a system call that waits for nothing we can name */
    WAIT_FD,    /* one descriptor */
    WAIT_FDS,   /* a set of them: poll, select, epoll */
    WAIT_MUTEX,
    WAIT_RWLOCK,
    WAIT_CONDITION,
    WAIT_SEMAPHORE,
    WAIT_BARRIER,
    WAIT_ONCE, /* pthread_once or a C++ static's guard, run by another thread */
    WAIT_JOIN,
    WAIT_STDIO,     /* the lock of a FILE */
    WAIT_LIBRARY,   /* a lock inside the C library that names no owner: malloc's ... */
    WAIT_FUTEX,     /* some other futex */
    WAIT_CHILD,     /* wait4, waitid, vfork */
    WAIT_FILE_LOCK, /* flock, fcntl */
    WAIT_TIME,      /* nanosleep */
    WAIT_SIGNAL,    /* pause, sigwait ... */
    WAIT_IPC        /* System V and POSIX queues and semaphores */
};

struct wait {
    enum wait_kind kind;
    const char *text;   /* as the `wait` label, the same for threads that wait alike: "mutex held by
                           worker-3", "tcp 10.0.0.1:80 CLOSE_WAIT", "epoll[12 fds]"; NULL where
                           nothing can be named */
    const char *detail; /* the same with everything known, for one reader; NULL with `text` */
    const char *call;   /* the library's function that waits, "sem_wait"; NULL not known */
    int fd;             /* the descriptor, also the epoll's own; -1 */
    const int *fds;     /* WAIT_FDS: those in the set (of poll and select), at most ... */
    size_t fd_count;    /* ... so many; of ... */
    size_t fd_total;    /* ... so many, which may be more than are looked at */
    uint64_t object;    /* the lock's address; 0 */
    const char *variable; /* the static variable that it is in, of those waited for long; NULL */
    pid_t holder; /* the thread (for file locks and children the process) waited for; 0 unknown */
    bool holder_gone; /* a lock whose owner no longer exists */
    bool timed;       /* the wait ends by itself at some time */
    bool writes;      /* WAIT_FD: for room to write, and not for something to read */
    bool idle;        /* WAIT_FD, WAIT_FDS: as one waits for work that may come from anybody: for an
                         epoll, for a set of several, for a connection to accept */
    size_t next;      /* index in the thread dump of the thread waited for; SIZE_MAX: none known */
    bool never;   /* can never go on: on a cycle, behind one, behind a lock whose owner is gone */
    size_t cycle; /* number of the cycle it is on; SIZE_MAX: none */
};

/* One deadlock: threads[i] waits for threads[(i + 1) % count]. */
struct cycle {
    const size_t *threads; /* indexes in the thread dump */
    size_t count;
};

struct wait_set {
    struct arena arena; /* owns all below */
    struct wait *waits; /* one for each thread of the dump, in its order */
    size_t count;
    const struct cycle *cycles;
    size_t cycle_count;
    const struct fd_dump *fds; /* that descriptors were named by; NULL without */
    struct fd_dump *own_fds;   /* the same, when it was taken for this set */
};

struct wait_source;

/* All must outlive it; FDS may be NULL. NULL without memory. */
struct wait_source *wait_source_new(struct target *target, struct modules *modules,
                                    struct unwinder *unwinder, struct symbolizer *symbolizer,
                                    struct thread_source *threads, struct fd_source *fds);
void wait_source_free(struct wait_source *source);

/* Finds the waits of THREADS, the last dump of the thread source. FDS names the
 * descriptors; NULL: the source looks at those that are waited on, within
 * BUDGET_NS, and without it they go by number. NULL without memory. */
struct wait_set *wait_source_find(struct wait_source *source, const struct thread_dump *threads,
                                  const struct fd_dump *fds, uint64_t budget_ns);
void waits_free(struct wait_set *set);

#endif
