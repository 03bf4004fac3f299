/* ways.h: ways of waiting, each with what must be said of it.
 *
 *     waits.c         a thread for each, and the dump held against it
 *     ways_locks.c    on other threads, through every lock of pthreads and C11
 *     ways_fds.c      on descriptors, one and many
 *     ways_others.c   on times, signals, processes, queues
 */
#ifndef SNAG_TESTS_WAYS_H
#define SNAG_TESTS_WAYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")
#define LONG_TIME 3600

struct way;

/* One way of waiting, and what it must be called; NULL: the thread makes the words. A table of them
 * ends with a row of NULLs. */
struct kind_of_wait {
    const char *name;
    void (*wait)(struct way *way);
    const char *on;
};

extern const struct kind_of_wait ways_locks[], ways_fds[], ways_others[];

/* A thread that waits so, and what only it knows. */
struct way {
    const struct kind_of_wait *kind;
    char made[256];
    char detail[256];   /* must be in the detail */
    int fd;             /* -1: not checked */
    const void *object; /* NULL: not checked */
    pid_t holder;       /* 0: not checked */
    bool timed;
    char skip[128]; /* why it cannot be tried here, if ... */
    _Atomic bool skipped;
    _Atomic pid_t tid;
};

pid_t own_tid(void);

/* Ends the thread: its way cannot be tried, because of WHAT and errno. */
_Noreturn void cannot(struct way *way, const char *what);

struct timespec from_now(clockid_t clock, long seconds);

/* Starts a thread that holds every kind of lock, for ways_locks. */
void hold_locks(void);

/* Removes what ways_fds and ways_others have left in the file system. */
void fds_clean_up(void);
void others_clean_up(void);

#endif
