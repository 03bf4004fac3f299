/* test_handles_model.c proves that inventories are what a plain list of the same adds and removes
 * would be: four threads do them at random, pointers and integers, also twice, also of what
 * another thread added, and whenever they pause, every handle, count and sum is held against
 * the list's, and the tables against their own rules.
 *
 * The clock is the test's: it runs ahead by hours, and is a few milliseconds behind in
 * some threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "handles_look.h"

#include <snag/snag.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define HANDLES 6000
#define ROUNDS 120
#define STEPS 4000 /* of a thread in a round */
#define WAYS 40
#define BEHIND_NS 4000000u
#define NOINLINE __attribute__((noinline))

int clock_gettime(clockid_t clock, struct timespec *time);

static _Atomic uint64_t fake_ns; /* 0: the real clock */
static _Thread_local uint64_t behind_ns;

/* Stands before the C library's for the whole process. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    uint64_t now = fake_ns;
    if (clock != CLOCK_MONOTONIC_COARSE || now == 0)
        return (int)syscall(SYS_clock_gettime, clock, time);
    now -= behind_ns;
    time->tv_sec = (time_t)(now / 1000000000);
    time->tv_nsec = (long)(now % 1000000000);
    return 0;
}

/* The plain list. Each handle is one thread's in each round, and another's in the next. */
struct model {
    bool live;
    int way;
    uint64_t bytes;
    uint64_t earliest_ns;
    uint64_t latest_ns;
};

struct worker {
    pthread_t thread;
    int number;
    uint64_t random;
    uint64_t double_adds;
    uint64_t wrong_removes;
    uint64_t surprises; /* answers that the list would not have given */
};

static snag_profile *profile;
static struct model models[HANDLES];
static char objects[HANDLES][16];
static pthread_barrier_t barrier;
static _Atomic int round_number;
static uint32_t stack_of_way[WAYS];

static const void *handle_of(size_t i)
{
    switch (i % 4) {
    case 0: return (const void *)(uintptr_t)(i / 4); /* 0 too */
    case 1: return (const void *)(uintptr_t)(UINT64_C(0x8000000000000000) + i);
    default: return objects[i];
    }
}

static size_t index_of(uint64_t handle)
{
    if (handle < HANDLES / 4)
        return (size_t)handle * 4;
    if (handle >> 63)
        return (size_t)(handle - UINT64_C(0x8000000000000000));
    return (size_t)(handle - (uintptr_t)objects) / sizeof *objects;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545f4914f6cdd1d) >> 20;
}

static NOINLINE int add_left(int way, int depth, const void *handle, size_t bytes);

/* As deep as WAY, so that it is a stack of its own. */
static NOINLINE int add_by_way(int way, int depth, const void *handle, size_t bytes)
{
    int status = depth == 0         ? snag_profile_add(profile, handle, bytes, 0)
                 : way & 1 << depth ? add_left(way, depth - 1, handle, bytes)
                                    : add_by_way(way, depth - 1, handle, bytes);
    __asm__ volatile("" ::: "memory");
    return status;
}

static NOINLINE int add_left(int way, int depth, const void *handle, size_t bytes)
{
    int status = add_by_way(way, depth, handle, bytes);
    __asm__ volatile("nop" ::: "memory");
    return status;
}

static void step_add(struct worker *worker, struct model *model, size_t i)
{
    int way = (int)(next_random(&worker->random) % WAYS);
    uint64_t bytes = next_random(&worker->random) % 100000;
    uint64_t earliest = fake_ns - behind_ns;
    int status = add_by_way(way * 2, 7, handle_of(i), bytes);
    worker->surprises += status != (model->live ? -EEXIST : 0);
    worker->double_adds += model->live;
    if (!model->live)
        *model = (struct model){ true, way, bytes, earliest, fake_ns };
}

static void step_remove(struct worker *worker, struct model *model, size_t i)
{
    int status = snag_profile_remove(profile, handle_of(i));
    worker->surprises += status != (model->live ? 0 : -ENOENT);
    worker->wrong_removes += !model->live;
    model->live = false;
}

/* In some rounds adds are many, in others removes. */
static void steps(struct worker *worker, int round)
{
    unsigned adds = round % 8 < 4 ? 60 : 35;
    for (int i = 0; i < STEPS; i++) {
        size_t own = next_random(&worker->random) % (HANDLES / THREADS) * THREADS +
                     (size_t)(worker->number + round) % THREADS;
        if (next_random(&worker->random) % 100 < adds)
            step_add(worker, &models[own], own);
        else
            step_remove(worker, &models[own], own);
        fake_ns += next_random(&worker->random) % 200000;
        if (i % 64 == 0)
            behind_ns = next_random(&worker->random) % BEHIND_NS;
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&barrier);
        steps(worker, round);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier); /* it has been checked */
    }
    return NULL;
}

struct seen {
    size_t count;
    uint64_t bytes;
};

static void see(const struct handle_shard *shard, const struct handle_record *record, void *context)
{
    struct seen *seen = context;
    size_t i = index_of(record->handle);
    assert_in_range(i, 0, HANDLES - 1);
    const struct model *model = &models[i];
    assert_true(model->live);
    assert_int_equal(record->bytes, model->bytes);
    assert_in_range(record->time_ns, model->earliest_ns, model->latest_ns);
    uint32_t stack = handles_holder(shard, record->holder)->stack;
    if (stack_of_way[model->way] == 0)
        stack_of_way[model->way] = stack;
    assert_int_equal(stack, stack_of_way[model->way]);
    seen->count++;
    seen->bytes += record->bytes;
}

/* Counts and bytes by stack, from the cohorts, as a dump has them. */
static void check_stacks(const struct inventory *inventory)
{
    for (int way = 0; way < WAYS; way++) {
        struct seen model = { 0 };
        struct seen held = { 0 };
        for (size_t i = 0; i < HANDLES; i++) {
            model.count += models[i].live && models[i].way == way;
            model.bytes += models[i].live && models[i].way == way ? models[i].bytes : 0;
        }
        for (uint32_t i = 0; i < inventory->shard_count; i++) {
            const struct handle_shard *shard = handles_shard(inventory, i);
            for (uint32_t at = 1; at <= shard->holders.count; at++) {
                const struct handle_holder *holder = handles_holder(shard, at);
                if (holder->stack != stack_of_way[way] || holder->stack == 0)
                    continue;
                for (uint32_t old = holder->cohorts; old != 0;
                     old = handles_cohort(shard, old)->older) {
                    held.count += handles_cohort(shard, old)->count;
                    held.bytes += handles_cohort(shard, old)->bytes;
                }
            }
        }
        assert_int_equal(held.count, model.count);
        assert_int_equal(held.bytes, model.bytes);
    }
}

static void check(const struct worker *workers)
{
    const struct inventory *inventory = handles_inventory(profile);
    const char *wrong = handles_check(inventory);
    if (wrong)
        fail_msg("round %d: %s", round_number, wrong);
    size_t live = 0;
    uint64_t double_adds = 0;
    uint64_t wrong_removes = 0;
    for (size_t i = 0; i < HANDLES; i++)
        live += models[i].live;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].surprises, 0);
        double_adds += workers[i].double_adds;
        wrong_removes += workers[i].wrong_removes;
    }
    struct seen seen = { 0 };
    handles_each(inventory, see, &seen);
    assert_int_equal(seen.count, live);
    assert_int_equal(snag_profile_count(profile), live);
    assert_int_equal(inventory->double_adds, double_adds);
    assert_int_equal(inventory->wrong_removes, wrong_removes);
    assert_int_equal(inventory->lost, 0);
    check_stacks(inventory);
}

/* How many cohorts there are, and how many of them stand for more than one handle. */
static void count_cohorts(const struct inventory *inventory, size_t *all, size_t *joined)
{
    *all = *joined = 0;
    for (uint32_t i = 0; i < inventory->shard_count; i++) {
        const struct handle_shard *shard = handles_shard(inventory, i);
        for (uint32_t at = 1; at <= shard->holders.count; at++) {
            for (uint32_t old = handles_holder(shard, at)->cohorts; old != 0;
                 old = handles_cohort(shard, old)->older) {
                ++*all;
                *joined += handles_cohort(shard, old)->count > 1;
            }
        }
    }
}

static void test_equal_to_a_list(void **state)
{
    static struct worker workers[THREADS];
    size_t most = 0;
    size_t all = 0;
    size_t joined = 0;
    (void)state;
    fake_ns = UINT64_C(1000000000000);
    profile = snag_profile_new("model");
    assert_non_null(profile);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        workers[i].number = i;
        workers[i].random = (uint64_t)i * 7919 + 12345;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (round_number = 0; round_number < ROUNDS; round_number++) {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        check(workers);
        most = snag_profile_count(profile) > most ? snag_profile_count(profile) : most;
        count_cohorts(handles_inventory(profile), &all, &joined);
        fake_ns += round_number % 5 == 4 ? UINT64_C(7200000000000) : UINT64_C(700000000);
        pthread_barrier_wait(&barrier);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    printf("at most %zu live, at the end %zu cohorts, %zu of them of several handles\n", most, all,
           joined);
    assert_true(most > HANDLES / 2);
    assert_true(joined > 100);
}

/* Everything goes, and the tables are ready for it to come again. */
static void test_nothing_left(void **state)
{
    const struct inventory *inventory = handles_inventory(profile);
    (void)state;
    for (size_t i = 0; i < HANDLES; i++) {
        if (models[i].live)
            assert_int_equal(snag_profile_remove(profile, handle_of(i)), 0);
    }
    assert_int_equal(snag_profile_count(profile), 0);
    assert_null(handles_check(inventory));
    for (uint32_t i = 0; i < inventory->shard_count; i++) {
        const struct handle_shard *shard = handles_shard(inventory, i);
        for (uint32_t at = 1; at <= shard->holders.count; at++)
            assert_int_equal(handles_holder(shard, at)->cohorts, 0);
    }
}

/* A leak of one stack over a year: few cohorts, exact sums, and the age of what is young is still
 * told from that of what is old. */
static void test_a_year(void **state)
{
    const uint64_t hour_ns = UINT64_C(3600000000000);
    (void)state;
    snag_profile *year = snag_profile_new("year");
    const struct inventory *inventory = handles_inventory(year);
    fake_ns += hour_ns;
    for (uintptr_t i = 0; i < 365 * 24 * 4; i++) {
        assert_int_equal(snag_profile_add(year, (const void *)i, 1, 0), 0);
        fake_ns += hour_ns / 4;
    }
    assert_null(handles_check(inventory));
    uint64_t last_day = 0;
    size_t cohorts = 0;
    for (uint32_t i = 0; i < inventory->shard_count; i++) {
        const struct handle_shard *shard = handles_shard(inventory, i);
        assert_int_equal(shard->holder_count, 1);
        for (uint32_t at = handles_holder(shard, 1)->cohorts; at != 0;
             at = handles_cohort(shard, at)->older) {
            last_day += handles_cohort(shard, at)->from_ns + 24 * hour_ns >= fake_ns
                            ? handles_cohort(shard, at)->count
                            : 0;
            cohorts++;
        }
    }
    assert_in_range(last_day, 50, 96); /* what is cut by the day's begin is not counted */
    assert_true(cohorts / inventory->shard_count < 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_to_a_list),
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_a_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
