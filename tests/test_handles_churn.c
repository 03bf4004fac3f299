/* test_handles_churn.c proves that what an inventory says of a stack belongs together: while
 * four threads add and remove, whoever looks at a shard finds the bytes of each stack to be
 * what its count makes them, and the age to be within the time that its handles came in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "handles_look.h"

#include <snag/snag.h>

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define THREADS 4
#define OWN 3000
#define WAYS 24
#define STACKS_MAX 1024
#define SECONDS 4
#define NOINLINE __attribute__((noinline))

#if defined(__SANITIZE_THREAD__)
#define READ_WITHOUT_LOCK 0 /* that is a race, by its nature */
#else
#define READ_WITHOUT_LOCK 1
#endif

static snag_profile *profile;
static char things[THREADS][OWN][16];
static atomic_bool stop;
static _Atomic uint64_t pairs;
static _Atomic uint64_t surprises;
static uint64_t bytes_of_stack[STACKS_MAX];
static uint64_t started_ns;

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A stack of its own for each WAY, and bytes that go with it. */
static NOINLINE int add_by_way(int way, int depth, const void *handle)
{
    int status = depth > 0 ? add_by_way(way, depth - 1, handle)
                           : snag_profile_add(profile, handle, (size_t)(way + 1) * 1000003, 0);
    __asm__ volatile("" ::: "memory");
    return status;
}

static void *churn(void *argument)
{
    static _Thread_local bool live[OWN];
    int thread = (int)(intptr_t)argument;
    uint64_t random = 88172645463325252u + (uint64_t)thread;
    while (!stop) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t i = random % OWN;
        int way = (int)((random >> 32) % WAYS);
        surprises += (live[i] ? snag_profile_remove(profile, things[thread][i])
                              : add_by_way(way, way, things[thread][i])) != 0;
        live[i] = !live[i];
        pairs++;
    }
    return NULL;
}

/* The sums of one holder. */
struct held {
    uint32_t stack;
    uint64_t count;
    uint64_t bytes;
    uint64_t time_ns; /* mean time of coming, from the first cohort's on */
    bool is_whole;
};

static struct held sum_up(const struct handle_shard *shard, uint32_t number)
{
    struct held held = { .stack = handles_holder(shard, number)->stack, .is_whole = true };
    uint64_t since_start = 0;
    int steps = 0;
    for (uint32_t at = handles_holder(shard, number)->cohorts;
         at != 0 && at <= shard->cohorts.count && steps < 1000; steps++) {
        struct handle_cohort cohort = *handles_cohort(shard, at);
        held.count += cohort.count;
        held.bytes += cohort.bytes;
        since_start += (cohort.from_ns - started_ns) * cohort.count + cohort.later_ns;
        at = cohort.older;
    }
    held.time_ns = held.count ? since_start / held.count : 0;
    return held;
}

static void learn(const struct handle_shard *shard, const struct handle_record *record,
                  void *context)
{
    (void)context;
    uint32_t stack = handles_holder(shard, record->holder)->stack;
    assert_in_range(stack, 2, STACKS_MAX - 1);
    assert_true(bytes_of_stack[stack] == 0 || bytes_of_stack[stack] == record->bytes);
    bytes_of_stack[stack] = record->bytes;
}

static void check_held(struct held held)
{
    assert_in_range(held.stack, 2, STACKS_MAX - 1);
    uint64_t each = bytes_of_stack[held.stack];
    if (each == 0)
        return; /* not met yet */
    assert_int_equal(held.bytes, held.count * each);
    if (held.count)
        assert_in_range(started_ns + held.time_ns, started_ns, now_ns(CLOCK_MONOTONIC));
}

static size_t look_with_lock(const struct inventory *inventory)
{
    size_t seen = 0;
    for (uint32_t i = 0; i < inventory->shard_count; i++) {
        struct handle_shard *shard = handles_shard(inventory, i);
        uint64_t live = 0;
        handles_lock(shard);
        for (uint32_t at = 1; at <= shard->holders.count; at++) {
            struct held held = sum_up(shard, at);
            if (held.stack != 0)
                check_held(held);
            live += held.count;
        }
        assert_int_equal(live, shard->live);
        handles_unlock(shard);
        seen += live;
    }
    return seen;
}

/* As another process does: what had one even version before and after is of one moment. */
static size_t look_by_version(const struct inventory *inventory)
{
    static struct held helds[STACKS_MAX];
    size_t good = 0;
    for (uint32_t i = 0; READ_WITHOUT_LOCK && i < inventory->shard_count; i++) {
        const struct handle_shard *shard = handles_shard(inventory, i);
        uint32_t version = atomic_load_explicit(&shard->version, memory_order_acquire);
        uint32_t count = shard->holders.count < STACKS_MAX ? shard->holders.count : STACKS_MAX;
        uint64_t live = __atomic_load_n(&shard->live, __ATOMIC_RELAXED);
        for (uint32_t at = 1; at <= count; at++)
            helds[at - 1] = sum_up(shard, at);
        atomic_thread_fence(memory_order_acquire);
        if (version % 2 || atomic_load_explicit(&shard->version, memory_order_relaxed) != version)
            continue;
        for (uint32_t at = 0; at < count; at++) {
            if (helds[at].stack != 0)
                check_held(helds[at]);
            live -= helds[at].count;
        }
        assert_int_equal(live, 0);
        good++;
    }
    return good;
}

static void test_nothing_is_torn(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    size_t looks = 0;
    size_t seen = 0;
    size_t by_version = 0;
    started_ns = now_ns(CLOCK_MONOTONIC_COARSE);
    profile = snag_profile_new("churn");
    const struct inventory *inventory = handles_inventory(profile);
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
    uint64_t end = now_ns(CLOCK_MONOTONIC) + UINT64_C(1000000000) * SECONDS;
    while (now_ns(CLOCK_MONOTONIC) < end) {
        if (looks % 50 == 0)
            handles_each(inventory, learn, NULL);
        seen += look_with_lock(inventory);
        by_version += look_by_version(inventory);
        looks++;
        sched_yield();
    }
    stop = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%zu looks at %zu handles, %zu without the lock, amid %llu adds and removes\n", looks,
           seen, by_version, (unsigned long long)pairs);
    assert_int_equal(surprises, 0);
    assert_true(looks > 10 && seen > 0);
    assert_true(!READ_WITHOUT_LOCK || by_version > 0);
    assert_null(handles_check(inventory));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
