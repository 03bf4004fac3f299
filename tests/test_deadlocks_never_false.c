/* test_deadlocks_never_false.c proves that threads which only use locks much are never said to
 * be stuck: many threads and locks, taken in an order that allows no deadlock, by every call
 * that locks, looked at without a pause. Every edge that a dump reads is about a moment; put
 * together carelessly, they are full of circles here.
 *
 * Ten seconds; a minute with SNAG_TESTS_SLOW set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "reports/picture.h"
#include "reports/reports.h"
#include "sources/threads.h"
#include "stuck/stuck.h"
#include "waits/waits.h"
#include "workers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define THREADS 24
#define LOCKS 12
#define ROUNDS_LEAST 200

/* Of every kind some. Their order is that of the array; whoever holds one takes only later ones,
 * or tries. */
static struct {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
} locks[LOCKS];

static FILE *stream;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static _Atomic bool stop;
static _Atomic uint64_t taken;

static void make_locks(void)
{
    static const int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                 PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP };
    for (size_t i = 0; i < LOCKS; i++) {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_settype(&attributes, types[i % 4]);
        if (i % 5 == 3)
            pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        if (i % 5 == 4)
            pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
        pthread_mutex_init(&locks[i].mutex, &attributes);
        pthread_rwlock_init(&locks[i].rwlock, NULL);
    }
    stream = tmpfile();
}

static unsigned next_random(unsigned *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static struct timespec soon(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += 200000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

/* Takes lock NUMBER in one way or another; 0: it has it, as a mutex, 1: as a rwlock. */
static int take(size_t number, unsigned how)
{
    struct timespec until = soon();
    switch (how % 6) {
    case 0:
    case 1: pthread_mutex_lock(&locks[number].mutex); return 0;
    case 2:
        if (pthread_mutex_timedlock(&locks[number].mutex, &until) == 0)
            return 0;
        pthread_mutex_lock(&locks[number].mutex);
        return 0;
    case 3: pthread_rwlock_rdlock(&locks[number].rwlock); return 1;
    case 4: pthread_rwlock_wrlock(&locks[number].rwlock); return 1;
    default:
        if (pthread_rwlock_timedwrlock(&locks[number].rwlock, &until) != 0)
            pthread_rwlock_wrlock(&locks[number].rwlock);
        return 1;
    }
}

static void give_back(size_t number, int as)
{
    if (as == 0)
        pthread_mutex_unlock(&locks[number].mutex);
    else
        pthread_rwlock_unlock(&locks[number].rwlock);
}

/* Against the order, as only trying may. */
static void try_earlier(size_t number)
{
    if (pthread_mutex_trylock(&locks[number].mutex) == 0) {
        sched_yield();
        pthread_mutex_unlock(&locks[number].mutex);
    }
}

static void hold_for_a_while(unsigned how)
{
    struct timespec nap = { 0, 30000 };
    if (how % 8 == 0)
        nanosleep(&nap, NULL);
    else if (how % 8 == 1)
        sched_yield();
    else if (how % 8 == 2)
        fputs("x", stream);
}

/* Some locks one after the other, upward; given back in either order. */
static void use_some(unsigned *seed)
{
    size_t numbers[LOCKS];
    int as[LOCKS];
    size_t count = 0;
    size_t number = next_random(seed) % LOCKS;
    for (; number < LOCKS && count < 4; number += 1 + next_random(seed) % 3) {
        as[count] = take(number, next_random(seed));
        numbers[count++] = number;
        taken++;
    }
    if (count > 1)
        try_earlier(numbers[0] / 2);
    hold_for_a_while(next_random(seed));
    bool forward = next_random(seed) % 2;
    for (size_t i = 0; i < count; i++) {
        size_t at = forward ? i : count - 1 - i;
        give_back(numbers[at], as[at]);
    }
}

/* Threads that come and go and are joined, and waits that are signalled. */
static void *comes_and_goes(void *argument)
{
    unsigned seed = *(unsigned *)argument;
    use_some(&seed);
    return NULL;
}

static void join_somebody(unsigned *seed)
{
    pthread_t thread;
    unsigned other = next_random(seed) | 1;
    if (pthread_create(&thread, NULL, comes_and_goes, &other) == 0)
        pthread_join(thread, NULL);
}

static void wait_for_signal(void)
{
    struct timespec until = soon();
    pthread_mutex_lock(&locks[0].mutex);
    pthread_cond_timedwait(&cond, &locks[0].mutex, &until);
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&locks[0].mutex);
}

static void *traffic(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument * 2654435761u | 1;
    while (!stop) {
        use_some(&seed);
        if (next_random(&seed) % 64 == 0)
            join_somebody(&seed);
        if (next_random(&seed) % 64 == 0)
            wait_for_signal();
    }
    return NULL;
}

struct seen {
    unsigned rounds;
    size_t waits, owners, edges, cycles, never, findings;
};

static void look(struct lab *lab, struct seen *seen)
{
    struct picture *picture = NULL;
    assert_int_equal(picture_take(lab, false, &picture), 0);
    for (size_t i = 0; i < picture->waits->count; i++) {
        const struct wait *wait = &picture->waits->waits[i];
        seen->waits += wait->kind == WAIT_MUTEX || wait->kind == WAIT_RWLOCK;
        seen->owners += wait->holder != 0;
        seen->edges += wait->next != SIZE_MAX;
        seen->never += wait->never;
        if (wait->never)
            fprintf(stderr, "thread %d: %s\n", (int)picture->threads->threads[i].tid, wait->detail);
    }
    seen->cycles += picture->waits->cycle_count;
    const struct stuck_facts facts = {
        .threads = picture->threads,
        .waits = picture->waits,
        .symbolizer = lab->symbolizer,
    };
    struct stuck_list *list = stuck_find(lab->stuck, &facts);
    assert_non_null(list);
    for (size_t i = 0; i < list->count; i++)
        fprintf(stderr, "%s\n", list->findings[i].sentence);
    seen->findings += list->count;
    stuck_free(list);
    picture_free(picture);
    seen->rounds++;
}

static void look_on(void)
{
    struct lab lab;
    struct seen seen = { 0 };
    uint64_t seconds = getenv("SNAG_TESTS_SLOW") ? 60 : 10;
    uint64_t end = now_ns() + seconds * 1000000000;
    assert_int_equal(lab_open(&lab, 0, SIGNAL_NEVER), 0);
    while (now_ns() < end || seen.rounds < ROUNDS_LEAST)
        look(&lab, &seen);
    lab_close(&lab);
    printf("%u dumps of %llu lockings: %zu waits for a lock, %zu owners, %zu edges; %zu deadlocks, "
           "%zu lost threads, %zu findings\n",
           seen.rounds, (unsigned long long)taken, seen.waits, seen.owners, seen.edges, seen.cycles,
           seen.never, seen.findings);
    assert_true(seen.waits > seen.rounds && seen.edges > 0); /* else nobody could be mistaken */
    assert_int_equal(seen.cycles, 0);
    assert_int_equal(seen.never, 0);
    assert_int_equal(seen.findings, 0);
}

static void test_traffic_is_no_deadlock(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    make_locks();
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, traffic, (void *)(i + 1)), 0);
    look_on();
    stop = true;
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_traffic_is_no_deadlock) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return run_as_listener(run_all);
}
