/* ways_locks.c: blocked on other threads, through every lock of pthreads and C11. */
#include "truth.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define LONG_TIME 3600

/* What a thread that never lets go holds, all of it by one. */
static struct {
    pthread_mutex_t plain, recursive, checking, robust, inheriting;
    pthread_rwlock_t read, written;
    mtx_t c11;
    pthread_once_t once;
    thrd_t never_ends;
    pthread_t holder;
    int ready;
} held;

static void make_mutex(pthread_mutex_t *mutex, int type, int robust, int protocol)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutex_lock(mutex);
}

static void never_done(void)
{
    __atomic_store_n(&held.ready, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static void *hold_all(void *unused)
{
    make_mutex(&held.plain, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
    make_mutex(&held.recursive, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
    make_mutex(&held.checking, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
    make_mutex(&held.robust, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
    make_mutex(&held.inheriting, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT);
    pthread_rwlock_init(&held.read, NULL);
    pthread_rwlock_rdlock(&held.read);
    pthread_rwlock_init(&held.written, NULL);
    pthread_rwlock_wrlock(&held.written);
    mtx_init(&held.c11, mtx_timed);
    mtx_lock(&held.c11);
    pthread_once(&held.once, never_done);
    return unused;
}

/* The first way that needs them makes them. */
static void need_held(void)
{
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&making);
    if (!held.ready && pthread_create(&held.holder, NULL, hold_all, NULL))
        truth_skip("no thread");
    while (!__atomic_load_n(&held.ready, __ATOMIC_ACQUIRE))
        usleep(1000);
    pthread_mutex_unlock(&making);
}

static struct timespec far_off(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_sec += LONG_TIME;
    return time;
}

static NOINLINE void in_mutex(void)
{
    need_held();
    truth_mark();
    pthread_mutex_lock(&held.plain);
    STAY();
}

static NOINLINE void in_timed_mutex(void)
{
    need_held();
    struct timespec until = far_off(CLOCK_REALTIME);
    truth_mark();
    pthread_mutex_timedlock(&held.plain, &until);
    STAY();
}

static NOINLINE void in_clock_mutex(void)
{
    need_held();
    struct timespec until = far_off(CLOCK_MONOTONIC);
    truth_mark();
    pthread_mutex_clocklock(&held.plain, CLOCK_MONOTONIC, &until);
    STAY();
}

static NOINLINE void in_recursive_mutex(void)
{
    need_held();
    truth_mark();
    pthread_mutex_lock(&held.recursive);
    STAY();
}

static NOINLINE void in_checking_mutex(void)
{
    need_held();
    truth_mark();
    pthread_mutex_lock(&held.checking);
    STAY();
}

static NOINLINE void in_robust_mutex(void)
{
    need_held();
    truth_mark();
    pthread_mutex_lock(&held.robust);
    STAY();
}

static NOINLINE void in_inheriting_mutex(void)
{
    need_held();
    truth_mark();
    pthread_mutex_lock(&held.inheriting);
    STAY();
}

static NOINLINE void in_c11_mutex(void)
{
    need_held();
    truth_mark();
    mtx_lock(&held.c11);
    STAY();
}

static pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static NOINLINE void in_cond_wait(void)
{
    pthread_mutex_lock(&cond_mutex);
    truth_mark();
    for (;;)
        pthread_cond_wait(&cond, &cond_mutex);
}

static NOINLINE void in_cond_timedwait(void)
{
    struct timespec until = far_off(CLOCK_REALTIME);
    pthread_mutex_lock(&cond_mutex);
    truth_mark();
    for (;;)
        pthread_cond_timedwait(&cond, &cond_mutex, &until);
}

static NOINLINE void in_c11_cond(void)
{
    cnd_t c11_cond;
    mtx_t mutex;
    cnd_init(&c11_cond);
    mtx_init(&mutex, mtx_plain);
    mtx_lock(&mutex);
    truth_mark();
    for (;;)
        cnd_wait(&c11_cond, &mutex);
}

static NOINLINE void in_sem_wait(void)
{
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    truth_mark();
    sem_wait(&semaphore);
    STAY();
}

static NOINLINE void in_sem_timedwait(void)
{
    sem_t semaphore;
    struct timespec until = far_off(CLOCK_REALTIME);
    sem_init(&semaphore, 0, 0);
    truth_mark();
    sem_timedwait(&semaphore, &until);
    STAY();
}

static NOINLINE void in_rdlock(void)
{
    need_held();
    truth_mark();
    pthread_rwlock_rdlock(&held.written);
    STAY();
}

static NOINLINE void in_wrlock(void)
{
    need_held();
    truth_mark();
    pthread_rwlock_wrlock(&held.read);
    STAY();
}

static NOINLINE void in_timedwrlock(void)
{
    need_held();
    struct timespec until = far_off(CLOCK_REALTIME);
    truth_mark();
    pthread_rwlock_timedwrlock(&held.written, &until);
    STAY();
}

static NOINLINE void in_barrier(void)
{
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    truth_mark();
    pthread_barrier_wait(&barrier);
    STAY();
}

static NOINLINE void in_join(void)
{
    need_held();
    truth_mark();
    pthread_join(held.holder, NULL);
    STAY();
}

static void *never_ends(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static NOINLINE void in_timedjoin(void)
{
    pthread_t thread;
    struct timespec until = far_off(CLOCK_REALTIME);
    if (pthread_create(&thread, NULL, never_ends, NULL))
        truth_skip("no thread");
    truth_mark();
    pthread_timedjoin_np(thread, NULL, &until);
    STAY();
}

static int c11_never_ends(void *unused)
{
    never_ends(unused);
    return 0;
}

static NOINLINE void in_c11_join(void)
{
    thrd_t thread;
    if (thrd_create(&thread, c11_never_ends, NULL) != thrd_success)
        truth_skip("no thread");
    truth_mark();
    thrd_join(thread, NULL);
    STAY();
}

/* Waits for the once that another thread will never be done with. */
static NOINLINE void in_once_of_another(void)
{
    need_held();
    truth_mark();
    pthread_once(&held.once, never_done);
    STAY();
}

static NOINLINE void block_in_once(void)
{
    truth_mark();
    pause();
    STAY();
}

/* The way is the function that pthread_once calls. */
static NOINLINE void in_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, block_in_once);
    STAY();
}

const struct way ways_locks[] = {
    { "mutex", in_mutex, 4, STACK_USUAL },
    { "timed mutex", in_timed_mutex, 5, STACK_USUAL },
    { "clock mutex", in_clock_mutex, 5, STACK_USUAL },
    { "recursive mutex", in_recursive_mutex, 4, STACK_USUAL },
    { "error-checking mutex", in_checking_mutex, 4, STACK_USUAL },
    { "robust mutex", in_robust_mutex, 4, STACK_USUAL },
    { "priority-inheriting mutex", in_inheriting_mutex, 4, STACK_USUAL },
    { "C11 mutex", in_c11_mutex, 5, STACK_USUAL },
    { "cond_wait", in_cond_wait, 5, STACK_USUAL },
    { "cond_timedwait", in_cond_timedwait, 5, STACK_USUAL },
    { "C11 cnd_wait", in_c11_cond, 6, STACK_USUAL },
    { "sem_wait", in_sem_wait, 5, STACK_USUAL },
    { "sem_timedwait", in_sem_timedwait, 5, STACK_USUAL },
    { "rwlock, reading", in_rdlock, 5, STACK_USUAL },
    { "rwlock, writing", in_wrlock, 5, STACK_USUAL },
    { "rwlock, timed", in_timedwrlock, 5, STACK_USUAL },
    { "barrier", in_barrier, 4, STACK_USUAL },
    { "join", in_join, 4, STACK_USUAL },
    { "timed join", in_timedjoin, 4, STACK_USUAL },
    { "C11 join", in_c11_join, 5, STACK_USUAL },
    { "once of another", in_once_of_another, 4, STACK_USUAL },
    { "inside a once", in_once, 2, STACK_USUAL },
    { NULL, NULL, 0, STACK_USUAL },
};
