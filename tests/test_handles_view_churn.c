/* test_handles_view_churn.c proves that a dump of live handles is true while
 * they come and go: count, age and bytes of a stack belong together in every
 * dump, and are the truth whenever the threads pause; a thread that is stopped
 * within a shard's lock holds nothing up, and one that waits for the reader is
 * woken.
 *
 * What every function adds has a size of its own, so a dump that is torn has
 * bytes that are no multiple of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/stack.h"
#include "base/target.h"
#include "handles/layout.h"
#include "modules/modules.h"
#include "sources/inventories.h"
#include "symbolize/symbolize.h"

#include <snag/snag.h>

#include <inttypes.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define FUNCTIONS 8
#define OWN 500 /* handles of a thread at most */
#define ROUNDS 25
#define DUMPS 40 /* in each */
#define SECOND UINT64_C(1000000000)

extern struct handle_root snag_handles_root;

static struct target target;
static struct modules *modules;
static struct symbolizer *symbolizer;
static struct inventory_source *source;
static snag_profile *profile;

#define SIZE_OF(function) (100u * ((function) + 1u) + 1u)

#define ADDER(number)                                                                              \
    __attribute__((noinline)) static void add_##number(const void *handle)                         \
    {                                                                                              \
        if (snag_profile_add(profile, handle, SIZE_OF(number), 0) != 0)                            \
            abort();                                                                               \
        __asm__ volatile("" ::: "memory");                                                         \
    }
ADDER(0)
ADDER(1)
ADDER(2)
ADDER(3)
ADDER(4)
ADDER(5)
ADDER(6)
ADDER(7)

static void (*const adders[FUNCTIONS])(const void *) = { add_0, add_1, add_2, add_3,
                                                         add_4, add_5, add_6, add_7 };

struct worker {
    pthread_t thread;
    uint64_t random;
    int function_of[OWN]; /* -1: not live */
    size_t live[FUNCTIONS];
    char handles[OWN];
};

static struct worker workers[THREADS];
static pthread_barrier_t paused, goes_on;
static atomic_bool pause_now;
static bool stop_now; /* read between the two barriers */

static uint64_t next_random(struct worker *worker)
{
    worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return worker->random >> 33;
}

static void take_turn(struct worker *worker)
{
    size_t i = next_random(worker) % OWN;
    int *function = &worker->function_of[i];
    if (*function >= 0) {
        if (snag_profile_remove(profile, &worker->handles[i]) != 0)
            abort();
        worker->live[*function]--;
        *function = -1;
    } else {
        *function = (int)(next_random(worker) % FUNCTIONS);
        adders[*function](&worker->handles[i]);
        worker->live[*function]++;
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (;;) {
        while (!atomic_load_explicit(&pause_now, memory_order_relaxed))
            take_turn(worker);
        pthread_barrier_wait(&paused);
        pthread_barrier_wait(&goes_on);
        if (stop_now)
            return NULL;
    }
}

static uint64_t monotonic_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static struct handle_dump *dump_now(bool details)
{
    struct handle_dump *dump = NULL;
    const struct inventory_wish wish = { .root = (uint64_t)(uintptr_t)&snag_handles_root,
                                         .with_details = details };
    assert_int_equal(inventory_source_dump(source, &wish, &dump), 0);
    return dump;
}

/* Which adder HOLDING's handles come from. */
static unsigned function_of(const struct handle_holding *holding)
{
    assert_true(holding->stack.count >= 2);
    const struct location *location = symbolize(symbolizer, frame_lookup(holding->stack.frames[0]));
    const char *name = location->lines[location->line_count - 1].function;
    if (strncmp(name, "add_", 4) != 0 || name[5])
        fail_msg("a holder's function is %s", name);
    return (unsigned)(name[4] - '0');
}

static void check_dump(const struct handle_dump *dump, const size_t truth[FUNCTIONS])
{
    uint64_t live[FUNCTIONS] = { 0 };
    assert_int_equal(dump->count, 1);
    for (size_t i = 0; i < dump->inventories[0].count; i++) {
        const struct handle_holding *holding = &dump->inventories[0].holdings[i];
        unsigned function = function_of(holding);
        uint64_t count = 0;
        live[function] += holding->count;
        if (holding->bytes != holding->count * SIZE_OF(function))
            fail_msg("torn: %" PRIu64 " of add_%u have %" PRIu64 " bytes", holding->count, function,
                     holding->bytes);
        for (size_t a = 0; a < holding->age_count; a++) {
            const struct age_bucket *age = &holding->ages[a];
            count += age->count;
            assert_int_equal(age->bytes, age->count * SIZE_OF(function));
            assert_true(age->age_sum_ms <= age->count * 60000);
        }
        assert_int_equal(count, holding->count);
        for (size_t h = 0; h < holding->oldest_count; h++)
            assert_int_equal(holding->oldest[h].bytes, SIZE_OF(function));
    }
    for (size_t i = 0; truth && i < FUNCTIONS; i++)
        assert_int_equal(live[i], truth[i]);
}

/* All threads stand still. */
static void check_truth(void)
{
    size_t truth[FUNCTIONS] = { 0 };
    size_t all = 0;
    for (size_t t = 0; t < THREADS; t++)
        for (size_t f = 0; f < FUNCTIONS; f++) {
            truth[f] += workers[t].live[f];
            all += workers[t].live[f];
        }
    struct handle_dump *dump = dump_now(true);
    check_dump(dump, truth);
    assert_int_equal(dump->live, all);
    assert_int_equal(dump->shards_locked + dump->shards_changing + dump->shards_unreadable, 0);
    assert_int_equal(snag_profile_count(profile), all);
    handle_dump_free(dump);
}

static void test_true_while_they_come_and_go(void **state)
{
    (void)state;
    size_t shards = 0;
    size_t changing = 0;
    for (size_t t = 0; t < THREADS; t++) {
        workers[t].random = t + 1;
        for (size_t i = 0; i < OWN; i++)
            workers[t].function_of[i] = -1;
        assert_int_equal(pthread_create(&workers[t].thread, NULL, work, &workers[t]), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < DUMPS; i++) {
            struct handle_dump *dump = dump_now(i % 8 == 0);
            if (dump->shards_changing == 0)
                check_dump(dump, NULL);
            shards += dump->shards;
            changing += dump->shards_changing;
            assert_int_equal(dump->shards_unreadable, 0);
            handle_dump_free(dump);
        }
        atomic_store(&pause_now, true);
        pthread_barrier_wait(&paused);
        atomic_store(&pause_now, false);
        check_truth();
        stop_now = round + 1 == ROUNDS;
        pthread_barrier_wait(&goes_on);
    }
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(workers[t].thread, NULL);
    if (changing * 4 > shards) /* on a loaded machine a thread may be stopped within a lock */
        fail_msg("%zu of %zu shards could not be had", changing, shards);
}

static void *add_one(void *handle)
{
    add_0(handle);
    return NULL;
}

/* The lock of every shard is taken, as if its thread were stopped, and another
 * thread waits. */
static void test_a_stopped_thread_holds_nothing_up(void **state)
{
    (void)state;
    static char handle;
    struct inventory *inventory =
        (struct inventory *)(uintptr_t)atomic_load(&snag_handles_root.inventories[0]);
    pthread_t waiter;
    size_t count = snag_profile_count(profile);
    for (uint32_t i = 0; i < inventory->shard_count; i++) {
        struct handle_shard *shard =
            (struct handle_shard *)(uintptr_t)(inventory->shards +
                                               (uint64_t)i * inventory->shard_size);
        uint32_t free = 0;
        assert_true(atomic_compare_exchange_strong(&shard->lock, &free, 1));
    }
    assert_int_equal(pthread_create(&waiter, NULL, add_one, &handle), 0);
    usleep(50000);
    uint64_t start = monotonic_ns();
    struct handle_dump *dump = dump_now(true);
    uint64_t took = monotonic_ns() - start;
    if (took > SECOND)
        fail_msg("it took %" PRIu64 " ms", took / 1000000);
    assert_int_equal(dump->live, count);
    assert_int_equal(dump->shards_locked, inventory->shard_count);
    handle_dump_free(dump);
    for (uint32_t i = 0; i < inventory->shard_count; i++) {
        struct handle_shard *shard =
            (struct handle_shard *)(uintptr_t)(inventory->shards +
                                               (uint64_t)i * inventory->shard_size);
        if (atomic_exchange(&shard->lock, 0) == 2)
            syscall(SYS_futex, &shard->lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    pthread_join(waiter, NULL);
    assert_int_equal(snag_profile_count(profile), count + 1);
    assert_int_equal(snag_profile_remove(profile, &handle), 0);
}

static int begin(void **state)
{
    (void)state;
    if (target_open(&target, 0) != 0)
        return -1;
    modules = modules_new(&target);
    if (!modules || modules_refresh(modules) != 0)
        return -1;
    symbolizer = symbolizer_new(&target, modules);
    source = inventory_source_new(&target, modules, NULL);
    profile = snag_profile_new("churned");
    pthread_barrier_init(&paused, NULL, THREADS + 1);
    pthread_barrier_init(&goes_on, NULL, THREADS + 1);
    return symbolizer && source && profile ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    inventory_source_free(source);
    symbolizer_free(symbolizer);
    modules_free(modules);
    target_close(&target);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_true_while_they_come_and_go),
        cmocka_unit_test(test_a_stopped_thread_holds_nothing_up),
    };
    alarm(600);
    return cmocka_run_group_tests(tests, begin, end);
}
