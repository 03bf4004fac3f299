/* ways_locks.c: on other threads, through every lock of pthreads and C11. */
#include "ways.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

static struct {
    pthread_mutex_t plain, recursive, checking, adaptive, robust, inheriting, shared;
    pthread_rwlock_t read, written, preferring;
    mtx_t c11;
    pthread_once_t once;
    FILE *stream;
    pthread_t thread;
    _Atomic pid_t tid;
    _Atomic int ready;
} held = { .once = PTHREAD_ONCE_INIT };

static void lock_new(pthread_mutex_t *mutex, int type, int robust, int protocol, int shared)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutexattr_setpshared(&attributes, shared);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutex_lock(mutex);
}

static void never_done(void)
{
    held.ready = 1;
    for (;;)
        pause();
}

static void *hold_all(void *unused)
{
    prctl(PR_SET_NAME, "holder");
    held.tid = own_tid();
    lock_new(&held.plain, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, 0);
    lock_new(&held.recursive, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, 0);
    lock_new(&held.checking, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, 0);
    lock_new(&held.adaptive, PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE,
             0);
    lock_new(&held.robust, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, 0);
    lock_new(&held.inheriting, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT,
             0);
    lock_new(&held.shared, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE,
             PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&held.read, NULL);
    pthread_rwlock_rdlock(&held.read);
    pthread_rwlock_init(&held.written, NULL);
    pthread_rwlock_wrlock(&held.written);
    pthread_rwlockattr_t writers_first;
    pthread_rwlockattr_init(&writers_first);
    pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&held.preferring, &writers_first);
    pthread_rwlock_wrlock(&held.preferring);
    mtx_init(&held.c11, mtx_timed);
    mtx_lock(&held.c11);
    flockfile(held.stream);
    pthread_once(&held.once, never_done);
    return unused;
}

void hold_locks(void)
{
    held.stream = tmpfile();
    if (!held.stream || pthread_create(&held.thread, NULL, hold_all, NULL))
        abort();
    while (!held.ready)
        usleep(1000);
}

static void held_by_holder(struct way *way, const void *object, const char *text)
{
    way->object = object;
    way->holder = held.tid;
    snprintf(way->made, sizeof way->made, "%s", text);
}

#define IN_MUTEX(name, member)                                                                     \
    static NOINLINE void name(struct way *way)                                                     \
    {                                                                                              \
        held_by_holder(way, &held.member, "mutex held by holder");                                 \
        pthread_mutex_lock(&held.member);                                                          \
        STAY();                                                                                    \
    }

IN_MUTEX(in_plain, plain)
IN_MUTEX(in_recursive, recursive)
IN_MUTEX(in_checking, checking)
IN_MUTEX(in_adaptive, adaptive)
IN_MUTEX(in_robust, robust)
IN_MUTEX(in_inheriting, inheriting)
IN_MUTEX(in_shared, shared)

static NOINLINE void in_timedlock(struct way *way)
{
    struct timespec until = from_now(CLOCK_REALTIME, LONG_TIME);
    held_by_holder(way, &held.plain, "mutex held by holder");
    way->timed = true;
    pthread_mutex_timedlock(&held.plain, &until);
    STAY();
}

static NOINLINE void in_clocklock(struct way *way)
{
    struct timespec until = from_now(CLOCK_MONOTONIC, LONG_TIME);
    held_by_holder(way, &held.plain, "mutex held by holder");
    way->timed = true;
    pthread_mutex_clocklock(&held.plain, CLOCK_MONOTONIC, &until);
    STAY();
}

static NOINLINE void in_timed_inheriting(struct way *way)
{
    struct timespec until = from_now(CLOCK_REALTIME, LONG_TIME);
    held_by_holder(way, &held.inheriting, "mutex held by holder");
    way->timed = true;
    pthread_mutex_timedlock(&held.inheriting, &until);
    STAY();
}

static NOINLINE void in_c11_mutex(struct way *way)
{
    held_by_holder(way, &held.c11, "mutex held by holder");
    mtx_lock(&held.c11);
    STAY();
}

/* The compiler may leave no frame of these, and make their call a jump. */
static NOINLINE int lock_by_jump(pthread_mutex_t *mutex)
{
    return pthread_mutex_lock(mutex);
}

static NOINLINE void in_jump(struct way *way)
{
    held_by_holder(way, &held.plain, "mutex held by holder");
    lock_by_jump(&held.plain);
    STAY();
}

static int (*volatile lock_by_pointer)(pthread_mutex_t *) = pthread_mutex_lock;

static NOINLINE void in_pointer(struct way *way)
{
    held_by_holder(way, &held.plain, "mutex held by holder");
    lock_by_pointer(&held.plain);
    STAY();
}

static NOINLINE void in_rdlock(struct way *way)
{
    held_by_holder(way, &held.written, "rwlock held by holder");
    pthread_rwlock_rdlock(&held.written);
    STAY();
}

static NOINLINE void in_wrlock(struct way *way)
{
    held_by_holder(way, &held.written, "rwlock held by holder");
    pthread_rwlock_wrlock(&held.written);
    STAY();
}

static NOINLINE void in_timedwrlock(struct way *way)
{
    struct timespec until = from_now(CLOCK_REALTIME, LONG_TIME);
    held_by_holder(way, &held.written, "rwlock held by holder");
    way->timed = true;
    pthread_rwlock_timedwrlock(&held.written, &until);
    STAY();
}

static NOINLINE void in_wrlock_behind_readers(struct way *way)
{
    way->object = &held.read;
    pthread_rwlock_wrlock(&held.read);
    STAY();
}

static NOINLINE void in_rdlock_after_writers(struct way *way)
{
    held_by_holder(way, &held.preferring, "rwlock held by holder");
    pthread_rwlock_rdlock(&held.preferring);
    STAY();
}

static pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void in_cond(struct way *way)
{
    static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    way->object = &cond;
    pthread_mutex_lock(&cond_mutex);
    for (;;)
        pthread_cond_wait(&cond, &cond_mutex);
}

/* Of a condition that was signalled before, another of its words is waited on. */
static NOINLINE void in_signalled_cond(struct way *way)
{
    static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    struct timespec soon = from_now(CLOCK_REALTIME, 0);
    way->object = &cond;
    pthread_mutex_lock(&cond_mutex);
    pthread_cond_timedwait(&cond, &cond_mutex, &soon);
    pthread_cond_broadcast(&cond);
    for (;;)
        pthread_cond_wait(&cond, &cond_mutex);
}

static NOINLINE void in_timed_cond(struct way *way)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    struct timespec until = from_now(CLOCK_REALTIME, LONG_TIME);
    way->object = &cond;
    way->timed = true;
    pthread_mutex_lock(&cond_mutex);
    for (;;)
        pthread_cond_timedwait(&cond, &cond_mutex, &until);
}

static NOINLINE void in_c11_cond(struct way *way)
{
    cnd_t cond;
    mtx_t mutex;
    cnd_init(&cond);
    mtx_init(&mutex, mtx_plain);
    mtx_lock(&mutex);
    way->object = &cond;
    for (;;)
        cnd_wait(&cond, &mutex);
}

/* Woken, a thread wants the mutex back before it returns. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool waits;
} woken = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

static void *take_and_signal(void *argument)
{
    struct way *way = argument;
    prctl(PR_SET_NAME, "waker");
    pthread_mutex_lock(&woken.mutex);
    while (!woken.waits) {
        pthread_mutex_unlock(&woken.mutex);
        usleep(1000);
        pthread_mutex_lock(&woken.mutex);
    }
    way->holder = own_tid();
    pthread_cond_signal(&woken.cond);
    for (;;)
        pause();
    return NULL;
}

static NOINLINE void in_relock_after_cond(struct way *way)
{
    pthread_t waker;
    way->object = &woken.mutex;
    pthread_create(&waker, NULL, take_and_signal, way);
    pthread_mutex_lock(&woken.mutex);
    woken.waits = true;
    pthread_cond_wait(&woken.cond, &woken.mutex);
    STAY();
}

static NOINLINE void in_sem(struct way *way)
{
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    way->object = &semaphore;
    sem_wait(&semaphore);
    STAY();
}

static NOINLINE void in_timed_sem(struct way *way)
{
    sem_t semaphore;
    struct timespec until = from_now(CLOCK_REALTIME, LONG_TIME);
    sem_init(&semaphore, 0, 0);
    way->object = &semaphore;
    way->timed = true;
    sem_timedwait(&semaphore, &until);
    STAY();
}

static NOINLINE void in_barrier(struct way *way)
{
    static pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    way->object = &barrier;
    pthread_barrier_wait(&barrier);
    STAY();
}

static NOINLINE void in_join(struct way *way)
{
    way->holder = held.tid;
    pthread_join(held.thread, NULL);
    STAY();
}

static void *pauses(void *tid)
{
    prctl(PR_SET_NAME, "joined");
    *(_Atomic pid_t *)tid = own_tid();
    for (;;)
        pause();
    return NULL;
}

static NOINLINE void in_timed_join(struct way *way)
{
    pthread_t thread;
    _Atomic pid_t tid = 0;
    struct timespec until = from_now(CLOCK_REALTIME, LONG_TIME);
    pthread_create(&thread, NULL, pauses, (void *)&tid);
    while (tid == 0)
        usleep(1000);
    way->holder = tid;
    way->timed = true;
    pthread_timedjoin_np(thread, NULL, &until);
    STAY();
}

static int pauses_c11(void *tid)
{
    pauses(tid);
    return 0;
}

static NOINLINE void in_c11_join(struct way *way)
{
#if defined(__SANITIZE_THREAD__)
    errno = ENOSYS;
    cannot(way, "thrd_create under ThreadSanitizer, which does not know it");
#endif
    thrd_t thread;
    _Atomic pid_t tid = 0;
    thrd_create(&thread, pauses_c11, (void *)&tid);
    while (tid == 0)
        usleep(1000);
    way->holder = tid;
    thrd_join(thread, NULL);
    STAY();
}

static NOINLINE void in_once(struct way *way)
{
#if defined(__SANITIZE_THREAD__)
    errno = ENOSYS;
    cannot(way, "pthread_once under ThreadSanitizer, which has one of its own");
#endif
    held_by_holder(way, &held.once, "once run by holder");
    pthread_once(&held.once, never_done);
    STAY();
}

static NOINLINE void in_stdio(struct way *way)
{
    way->holder = held.tid;
    fputs("never written", held.stream);
    STAY();
}

static NOINLINE void in_flockfile(struct way *way)
{
    way->holder = held.tid;
    flockfile(held.stream);
    STAY();
}

static NOINLINE void in_bare_futex(struct way *way)
{
    static int word = 7;
    way->object = &word;
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0);
    STAY();
}

/* It looks like a low-level lock, and is none that anybody could name. */
static NOINLINE void in_bare_lock(struct way *way)
{
    static int words[10] = { 2 };
    way->object = words;
    syscall(SYS_futex, words, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
    STAY();
}

/* Waits on something of its own while it is called back by pthread_once. */
static struct way *once_way;

static void waits_in_once(void)
{
    static int word = 7;
    once_way->object = &word;
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0);
    STAY();
}

static NOINLINE void in_callback_of_once(struct way *way)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    once_way = way;
    pthread_once(&once, waits_in_once);
    STAY();
}

const struct kind_of_wait ways_locks[] = {
    { "mutex", in_plain, NULL },
    { "recursive mutex", in_recursive, NULL },
    { "error-checking mutex", in_checking, NULL },
    { "adaptive mutex", in_adaptive, NULL },
    { "robust mutex", in_robust, NULL },
    { "priority-inheriting mutex", in_inheriting, NULL },
    { "process-shared mutex", in_shared, NULL },
    { "timed mutex", in_timedlock, NULL },
    { "clock mutex", in_clocklock, NULL },
    { "timed priority-inheriting mutex", in_timed_inheriting, NULL },
    { "C11 mutex", in_c11_mutex, NULL },
    { "mutex by a wrapper", in_jump, NULL },
    { "mutex by a pointer", in_pointer, NULL },
    { "rwlock, reading", in_rdlock, NULL },
    { "rwlock, writing", in_wrlock, NULL },
    { "rwlock, timed", in_timedwrlock, NULL },
    { "rwlock, behind readers", in_wrlock_behind_readers, "rwlock held by readers" },
    { "rwlock, writers first", in_rdlock_after_writers, NULL },
    { "condition", in_cond, "condition" },
    { "condition, signalled before", in_signalled_cond, "condition" },
    { "timed condition", in_timed_cond, "condition" },
    { "C11 condition", in_c11_cond, "condition" },
    { "mutex after a condition", in_relock_after_cond, "mutex held by waker" },
    { "semaphore", in_sem, "semaphore" },
    { "timed semaphore", in_timed_sem, "semaphore" },
    { "barrier", in_barrier, "barrier" },
    { "join", in_join, "end of thread holder" },
    { "timed join", in_timed_join, "end of thread joined" },
    { "C11 join", in_c11_join, "end of thread joined" },
    { "once", in_once, NULL },
    { "stdio", in_stdio, "stdio lock held by holder" },
    { "flockfile", in_flockfile, "stdio lock held by holder" },
    { "bare futex", in_bare_futex, "futex" },
    { "bare lock", in_bare_lock, "futex" },
    { "futex in a callback of once", in_callback_of_once, "futex" },
    { NULL, NULL, NULL },
};
