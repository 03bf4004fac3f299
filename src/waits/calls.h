/* calls.h: the system calls that can block, by what they wait on. */
#ifndef SNAG_WAITS_CALLS_H
#define SNAG_WAITS_CALLS_H

enum call_class {
    CALL_OTHER,         /* not one of those below */
    CALL_READS,         /* waits until one descriptor has something */
    CALL_WRITES,        /* ... until it takes something, or until what it took is done */
    CALL_MOVES,         /* from one descriptor to another: either may be waited for */
    CALL_POLL,          /* a set of struct pollfd */
    CALL_SELECT,        /* three bitmaps */
    CALL_EPOLL,         /* the set that an epoll holds */
    CALL_FUTEX,         /* a word of memory; see futex.c */
    CALL_NEW_FUTEX,     /* the later calls for it, which no C library waits by */
    CALL_CHILD,         /* wait4 */
    CALL_CHILD_BY_TYPE, /* waitid */
    CALL_CLONE,         /* a child that shares our memory until it calls exec */
    CALL_FILE_LOCK,     /* flock */
    CALL_FCNTL,         /* a lock, by its command */
    CALL_SLEEP,         /* nanosleep */
    CALL_CLOCK_SLEEP,   /* clock_nanosleep */
    CALL_ANY_SIGNAL,    /* pause, sigsuspend */
    CALL_SIGNAL_SET,    /* sigwait and its kin */
    CALL_IPC,           /* a System V message queue or semaphore set */
    CALL_QUEUE,         /* a POSIX message queue */
    CALL_RING,          /* io_uring's */
    CALL_COMPLETION,    /* asynchronous I/O */
    CALL_OPEN,          /* of a FIFO, or a mount that does not answer */
    CALL_RESTART        /* one of those with a time, begun again after a stop */
};

#define ARGUMENT_NONE (-1)

struct call {
    const char *name; /* as the kernel's headers have it */
    enum call_class class;
    signed char
        subject; /* the argument that says what is waited on: a descriptor, an address ... */
    signed char timeout; /* the argument that ends the wait: a pointer or milliseconds */
};

/* What is known of the system call with this number; never NULL. */
const struct call *call_find(long number);

#endif
