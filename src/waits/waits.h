/* waits.h: what each blocked thread waits on, and who waits for whom.
 *
 * From a thread's system call, its arguments, the memory they point to and the
 * function that made it follows what it waits for: a descriptor, a lock, another
 * thread, a time. Where the lock names its owner, that is an edge thread ->
 * thread; threads on a cycle of such edges, and those behind one, can never go on. */
#ifndef SNAG_WAITS_WAITS_H
#define SNAG_WAITS_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fd_dump;
struct modules;
struct symbolizer;
struct target;
struct thread_dump;

enum wait_kind {
    WAIT_NONE,  /* running, or blocked outside a system call */
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
    WAIT_FUTEX,     /* some other futex */
    WAIT_CHILD,     /* wait4, waitid */
    WAIT_FILE_LOCK, /* flock, fcntl */
    WAIT_TIME,      /* nanosleep */
    WAIT_SIGNAL,    /* pause, sigwait ... */
    WAIT_IPC        /* System V and POSIX queues and semaphores */
};

struct wait {
    enum wait_kind kind;
    const char *text; /* as the `wait` label: "mutex held by worker-3", "tcp 10.0.0.1:80
                         CLOSE_WAIT", "epoll[12 fds]", "child 4711"; NULL for WAIT_NONE */
    int fd;           /* WAIT_FD, or the epoll descriptor; -1 */
    uint64_t object;  /* the lock's address; 0 */
    pid_t holder; /* the thread (or, for file locks and children, process) waited for; 0 unknown */
    bool holder_gone; /* a lock whose owner no longer exists */
    bool timed;       /* the wait ends by itself at some time */
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
    struct wait *waits; /* one for each thread of the dump, in its order */
    size_t count;
    const struct cycle *cycles;
    size_t cycle_count;
};

/* Finds the waits of THREADS. FDS may be NULL: descriptors are then named by number only. All
 * is in the arena of the set. NULL without memory. */
struct wait_set *waits_find(struct target *target, const struct modules *modules,
                            struct symbolizer *symbolizer, const struct thread_dump *threads,
                            const struct fd_dump *fds);
void waits_free(struct wait_set *set);

#endif
