/* test_handles_view_tables.c proves that inventories are read as they lie in memory: every sum over
 * shards, holders and cohorts, the bucket of every age, the oldest handles, through any
 * state that a service's tables can be in, locked or torn or wrong.
 *
 * The tables are filled by hand, so every number is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/target.h"
#include "handle_tables.h"
#include "modules/modules.h"
#include "sources/inventories.h"
#include "stacks/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define STACKS 300

static struct target target;
static struct modules *modules;
static struct inventory_source *source;
static uint64_t now;

static uint64_t monotonic_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static int begin(void **state)
{
    (void)state;
    /* The machine may have started a moment ago; ages need room. */
    now = monotonic_ns();
    if (now < 4000 * SECOND)
        fprintf(stderr, "the machine has not been up for long: ages are cut\n");
    if (target_open(&target, 0) != 0)
        return -1;
    modules = modules_new(&target);
    source = inventory_source_new(&target, modules, NULL);
    return source ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    inventory_source_free(source);
    modules_free(modules);
    target_close(&target);
    return 0;
}

static struct handle_dump *dump_of(const struct handle_root *root, unsigned number, bool details)
{
    struct handle_dump *dump = NULL;
    const struct inventory_wish wish = { .root = (uint64_t)(uintptr_t)root,
                                         .number = number,
                                         .with_details = details };
    assert_int_equal(inventory_source_dump(source, &wish, &dump), 0);
    return dump;
}

static uint32_t stack_of(struct handle_root *root, uint64_t first)
{
    const uint64_t frames[] = { first, first + 0x10, first + 0x20 };
    return tables_stack(root, frames, 3);
}

/* A cohort of COUNT handles that all came at TIME_NS. */
static struct handle_cohort at_once(uint64_t time_ns, uint32_t count, uint64_t bytes)
{
    return (struct handle_cohort){ .from_ns = time_ns, .count = count, .bytes = bytes };
}

static const struct handle_holding *holding_with(const struct inventory_dump *inventory,
                                                 uint64_t first_frame)
{
    for (size_t i = 0; i < inventory->count; i++)
        if (inventory->holdings[i].stack.count > 0 &&
            inventory->holdings[i].stack.frames[0] == first_frame)
            return &inventory->holdings[i];
    fail_msg("nobody with frame %" PRIx64, first_frame);
    return NULL;
}

static void assert_near(uint64_t value, uint64_t expected, uint64_t tolerance)
{
    if (value + tolerance < expected || value > expected + tolerance)
        fail_msg("%" PRIu64 " is not %" PRIu64 " within %" PRIu64, value, expected, tolerance);
}

static void test_no_tables(void **state)
{
    (void)state;
    struct handle_root *root = tables_new();
    struct handle_dump *dump = dump_of(NULL, 0, false);
    assert_int_equal(dump->count, 0);
    handle_dump_free(dump);
    dump = dump_of(root, 0, true);
    assert_int_equal(dump->count, 0);
    assert_int_equal(dump->live, 0);
    handle_dump_free(dump);
    const struct inventory_wish wish = { .root = (uint64_t)(uintptr_t)root, .number = 1 };
    assert_int_equal(inventory_source_dump(source, &wish, &dump), -ENOENT);
    root->version++; /* of another build */
    tables_inventory(root, "later", 1);
    assert_int_equal(inventory_source_count(source, (uint64_t)(uintptr_t)root), 0);
    assert_int_equal(inventory_source_live(source, (uint64_t)(uintptr_t)root, 1), -ENOENT);
}

/* Every stack in every shard, with sums that follow from its number; more of each than a chunk
 * has. */
static void test_sums_over_all_shards(void **state)
{
    (void)state;
    enum { SHARDS = 8, COHORTS = 5 };
    struct handle_root *root = tables_new();
    struct inventory *first = tables_inventory(root, "first", SHARDS);
    tables_inventory(root, "empty", 2);
    for (uint32_t s = 0; s < STACKS; s++)
        stack_of(root, 0x1000 + s * 0x100);
    for (uint32_t shard = 0; shard < SHARDS; shard++)
        for (uint32_t s = 0; s < STACKS; s++) {
            struct handle_shard *where = tables_shard(first, shard);
            uint32_t holder = tables_add_holder(where, TABLE_STACK_FIRST + s, 0);
            for (uint64_t c = 0; c < COHORTS; c++) {
                struct handle_cohort cohort =
                    at_once(now - (COHORTS - c) * SECOND, s + 1, (s + 1) * (c + 1));
                tables_add_cohort(where, holder, &cohort);
            }
        }
    struct handle_dump *dump = dump_of(root, 0, false);
    uint64_t took_ms = (monotonic_ns() - now) / 1000000 + 5;
    assert_int_equal(dump->count, 2);
    assert_string_equal(dump->inventories[1].name, "empty");
    assert_int_equal(dump->inventories[1].live, 0);
    const struct inventory_dump *inventory = &dump->inventories[0];
    assert_int_equal(inventory->count, STACKS);
    assert_int_equal(dump->shards, SHARDS + 2);
    assert_int_equal(dump->shards_locked + dump->shards_changing + dump->shards_unreadable, 0);
    uint64_t live = 0;
    for (uint32_t s = 0; s < STACKS; s++) {
        const struct handle_holding *holding = holding_with(inventory, 0x1000 + s * 0x100);
        uint64_t count = (uint64_t)SHARDS * COHORTS * (s + 1);
        assert_int_equal(holding->count, count);
        assert_int_equal(holding->bytes, SHARDS * (s + 1) * (1 + 2 + 3 + 4 + 5));
        assert_int_equal(holding->stack.count, 3);
        assert_null(holding->stack.partial);
        assert_near(holding->age_sum_ms, count * 3000, count * took_ms);
        assert_true(holding->age_sum_ms >= count * 3000 - SHARDS * COHORTS);
        live += count;
    }
    assert_int_equal(inventory->live, live);
    assert_int_equal(dump->live, live);
    assert_int_equal(inventory_source_live(source, (uint64_t)(uintptr_t)root, 1), live);
    assert_int_equal(inventory_source_live(source, (uint64_t)(uintptr_t)root, 2), 0);
    assert_int_equal(inventory_source_live(source, (uint64_t)(uintptr_t)root, 0), live);
    for (size_t i = 1; i < inventory->count; i++)
        assert_true(inventory->holdings[i - 1].count >= inventory->holdings[i].count);
    handle_dump_free(dump);
    dump = dump_of(root, 2, false);
    assert_int_equal(dump->count, 1);
    assert_string_equal(dump->inventories[0].name, "empty");
    assert_int_equal(dump->shards, 2);
    handle_dump_free(dump);
}

/* Two holders that differ by their labels alone are two. */
static void test_labels_keep_holders_apart(void **state)
{
    (void)state;
    struct handle_root *root = tables_new();
    struct inventory *inventory = tables_inventory(root, "labelled", 1);
    struct handle_shard *shard = tables_shard(inventory, 0);
    uint32_t stack = stack_of(root, 0x1000);
    struct handle_cohort cohort = at_once(now, 3, 30);
    tables_add_cohort(shard, tables_add_holder(shard, stack, 5), &cohort);
    tables_add_cohort(shard, tables_add_holder(shard, stack, 6), &cohort);
    struct handle_dump *dump = dump_of(root, 0, false);
    assert_int_equal(dump->inventories[0].count, 2);
    assert_ptr_equal(dump->inventories[0].holdings[0].stack.frames,
                     dump->inventories[0].holdings[1].stack.frames);
    handle_dump_free(dump);
}

static void test_ages_fall_into_their_buckets(void **state)
{
    (void)state;
    static const struct {
        uint64_t age_ms;
        uint64_t bucket;
    } cases[] = {
        { 0, 0 },      { 900, 0 },      { 1000, 1 },     { 9900, 1 },       { 10000, 10 },
        { 99000, 10 }, { 100000, 100 }, { 999000, 100 }, { 1000000, 1000 }, { 3000000, 1000 },
    };
    enum { CASES = sizeof cases / sizeof *cases };
    struct handle_root *root = tables_new();
    struct inventory *inventory = tables_inventory(root, "aged", 1);
    struct handle_shard *shard = tables_shard(inventory, 0);
    now = monotonic_ns();
    for (size_t i = CASES; i-- > 0;) {
        if (cases[i].age_ms * 1000000 >= now)
            continue;
        uint32_t holder = tables_add_holder(shard, stack_of(root, 0x1000 + i * 0x100), 0);
        struct handle_cohort cohort = at_once(now - cases[i].age_ms * 1000000, 2, 20);
        tables_add_cohort(shard, holder, &cohort);
    }
    struct handle_dump *dump = dump_of(root, 0, false);
    for (size_t i = 0; i < CASES; i++) {
        if (cases[i].age_ms * 1000000 >= now)
            continue;
        const struct handle_holding *holding =
            holding_with(&dump->inventories[0], 0x1000 + i * 0x100);
        assert_int_equal(holding->age_count, 1);
        assert_int_equal(holding->ages[0].at_least_s, cases[i].bucket);
        assert_int_equal(holding->ages[0].count, 2);
        assert_int_equal(holding->ages[0].bytes, 20);
        assert_near(holding->ages[0].age_sum_ms, 2 * cases[i].age_ms, 100);
        assert_near(holding->oldest_least_ns, cases[i].age_ms * 1000000, 50000000);
        assert_near(holding->oldest_most_ns, cases[i].age_ms * 1000000, 50000000);
    }
    handle_dump_free(dump);
}

/* A cohort goes whole where its mean age is; sums are of the true times. */
static void test_the_mean_age_of_a_cohort_decides(void **state)
{
    (void)state;
    struct handle_root *root = tables_new();
    struct inventory *inventory = tables_inventory(root, "wide", 1);
    struct handle_shard *shard = tables_shard(inventory, 0);
    uint32_t holder = tables_add_holder(shard, stack_of(root, 0x1000), 0);
    now = monotonic_ns();
    /* from 12 s ago: one then, three 9 s ago: 9.75 s on the average */
    struct handle_cohort cohort = { now - 12 * SECOND, 3 * 3 * SECOND, 44, 4, 0 };
    tables_add_cohort(shard, holder, &cohort);
    /* from 2 s ago, a single one 0.5 s ago: known exactly */
    cohort = (struct handle_cohort){ now - 2 * SECOND, SECOND * 3 / 2, 7, 1, 0 };
    tables_add_cohort(shard, holder, &cohort);
    cohort = (struct handle_cohort){ now, 0, 0, 0, 0 }; /* empty: the next handle's */
    tables_add_cohort(shard, holder, &cohort);
    struct handle_dump *dump = dump_of(root, 0, false);
    const struct handle_holding *holding = &dump->inventories[0].holdings[0];
    assert_int_equal(holding->count, 5);
    assert_int_equal(holding->age_count, 2);
    assert_int_equal(holding->ages[0].at_least_s, 0);
    assert_int_equal(holding->ages[0].count, 1);
    assert_near(holding->ages[0].age_sum_ms, 500, 100);
    assert_int_equal(holding->ages[1].at_least_s, 1);
    assert_int_equal(holding->ages[1].count, 4);
    assert_near(holding->ages[1].age_sum_ms, 39000, 400);
    assert_near(holding->oldest_least_ns, 9750000000, 100000000);
    assert_near(holding->oldest_most_ns, 12 * SECOND, 100000000);
    handle_dump_free(dump);
    /* Of a single one the age is known, however wide its cohort is. */
    holder = tables_add_holder(shard, stack_of(root, 0x2000), 0);
    cohort = (struct handle_cohort){ now - 40 * SECOND, 10 * SECOND, 7, 1, 0 };
    tables_add_cohort(shard, holder, &cohort);
    dump = dump_of(root, 0, false);
    holding = holding_with(&dump->inventories[0], 0x2000);
    assert_int_equal(holding->oldest_least_ns, holding->oldest_most_ns);
    assert_near(holding->oldest_most_ns, 30 * SECOND, 100000000);
    handle_dump_free(dump);
}

/* More than 2^64 nanoseconds in all. */
static void test_sums_of_ages_have_room(void **state)
{
    (void)state;
    struct handle_root *root = tables_new();
    struct inventory *inventory = tables_inventory(root, "many", 1);
    struct handle_shard *shard = tables_shard(inventory, 0);
    uint32_t holder = tables_add_holder(shard, stack_of(root, 0x1000), 0);
    now = monotonic_ns();
    struct handle_cohort cohort = at_once(0, 4000000000u, UINT64_C(1) << 50);
    tables_add_cohort(shard, holder, &cohort);
    struct handle_dump *dump = dump_of(root, 0, false);
    uint64_t expected = 4000000000u * (now / 1000000);
    assert_near(dump->inventories[0].age_sum_ms, expected, 4000000000u * UINT64_C(100));
    handle_dump_free(dump);
}

static void test_stacks_that_are_not_known(void **state)
{
    (void)state;
    struct handle_root *root = tables_new();
    struct inventory *inventory = tables_inventory(root, "odd", 1);
    struct handle_shard *shard = tables_shard(inventory, 0);
    struct handle_cohort cohort = at_once(now, 1, 0);
    tables_add_cohort(shard, tables_add_holder(shard, STACK_OTHER, 0), &cohort);
    cohort.count = 2;
    tables_add_cohort(shard, tables_add_holder(shard, 60000, 0), &cohort);
    cohort.count = 3;
    tables_add_cohort(shard, tables_add_holder(shard, UINT32_MAX, 0), &cohort);
    struct handle_dump *dump = dump_of(root, 0, true);
    const struct inventory_dump *read = &dump->inventories[0];
    assert_int_equal(read->count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read->holdings[i].stack.count, 0);
        assert_non_null(read->holdings[i].stack.partial);
        assert_int_equal(read->holdings[i].is_other, read->holdings[i].count == 1);
    }
    handle_dump_free(dump);
}

static void test_the_oldest_are_found(void **state)
{
    (void)state;
    enum { SHARDS = 4, EACH = 10000 }; /* more than are read at once */
    struct handle_root *root = tables_new();
    struct inventory *inventory = tables_inventory(root, "old", SHARDS);
    uint32_t few = stack_of(root, 0x1000);
    uint32_t many = stack_of(root, 0x2000);
    now = monotonic_ns();
    for (uint32_t s = 0; s < SHARDS; s++) {
        struct handle_shard *shard = tables_shard(inventory, s);
        uint32_t a = tables_add_holder(shard, few, 0);
        uint32_t b = tables_add_holder(shard, many, 0);
        struct handle_cohort cohort = at_once(now - 50 * SECOND, EACH, EACH);
        tables_add_cohort(shard, b, &cohort);
        for (uint64_t i = 0; i < EACH; i++) {
            uint64_t handle = i * SHARDS + s; /* the higher, the older; 7919 is prime to EACH */
            uint64_t mixed = handle * 7919 % (EACH * SHARDS);
            tables_add_record(shard, b, mixed, now - mixed * 1000, mixed + 1);
            tables_record(shard, tables_add_record(shard, a, 1, 1, 1))->holder = 0; /* free */
        }
        cohort = at_once(now - 9 * SECOND, 1, 3);
        if (s < 2) {
            tables_add_cohort(shard, a, &cohort);
            tables_add_record(shard, a, 100 + s, now - (9 + s) * SECOND, 3);
        }
        tables_add_record(shard, b, 77, now + 3600 * SECOND, 3); /* came after the dump began */
    }
    struct handle_dump *dump = dump_of(root, 0, true);
    const struct handle_holding *holding = holding_with(&dump->inventories[0], 0x2000);
    assert_int_equal(holding->oldest_count, OLDEST_HANDLES);
    for (uint64_t i = 0; i < OLDEST_HANDLES; i++) {
        uint64_t handle = EACH * SHARDS - 1 - i;
        assert_int_equal(holding->oldest[i].handle, handle);
        assert_int_equal(holding->oldest[i].bytes, handle + 1);
        assert_near(holding->oldest[i].age_ns, handle * 1000, 500000000);
    }
    holding = holding_with(&dump->inventories[0], 0x1000);
    assert_int_equal(holding->oldest_count, 2);
    assert_int_equal(holding->oldest[0].handle, 101);
    assert_int_equal(holding->oldest[1].handle, 100);
    handle_dump_free(dump);
    dump = dump_of(root, 0, false);
    assert_int_equal(holding_with(&dump->inventories[0], 0x1000)->oldest_count, 0);
    handle_dump_free(dump);
}

static void test_wrong_removes(void **state)
{
    (void)state;
    struct handle_root *root = tables_new();
    struct inventory *inventory = tables_inventory(root, "wrong", 1);
    inventory->double_adds = 3;
    inventory->lost = 2;
    inventory->wrong_removes = 9;
    inventory->wrong_remove_count = 3;
    for (uint32_t i = 0; i < 3; i++) {
        struct handle_wrong_remove *one = &inventory->wrong_remove[i];
        one->stack = stack_of(root, 0x1000 + 0x100 * i);
        one->times = 4 - i;
        one->handle = 0xabc0 + i;
        one->time_ns = now - 5 * SECOND;
        one->tid = 4711;
        one->ready = i != 1; /* is being written */
    }
    struct handle_dump *dump = dump_of(root, 0, false);
    const struct inventory_dump *read = &dump->inventories[0];
    assert_int_equal(read->double_adds, 3);
    assert_int_equal(read->lost, 2);
    assert_int_equal(read->wrong_removes, 9);
    assert_int_equal(read->wrong_remove_count, 2);
    assert_int_equal(read->wrong_remove_list[0].times, 4);
    assert_int_equal(read->wrong_remove_list[0].handle, 0xabc0);
    assert_int_equal(read->wrong_remove_list[0].tid, 4711);
    assert_int_equal(read->wrong_remove_list[0].stack.frames[0], 0x1000);
    assert_near(read->wrong_remove_list[0].ago_ns, 5 * SECOND, 3 * SECOND);
    assert_int_equal(read->wrong_remove_list[1].stack.frames[0], 0x1200);
    handle_dump_free(dump);
}

static struct handle_root *locked_tables(uint32_t shards, struct inventory **inventory)
{
    struct handle_root *root = tables_new();
    *inventory = tables_inventory(root, "locked", shards);
    uint32_t stack = stack_of(root, 0x1000);
    for (uint32_t i = 0; i < shards; i++) {
        struct handle_shard *shard = tables_shard(*inventory, i);
        struct handle_cohort cohort = at_once(now, 10, 100);
        uint32_t holder = tables_add_holder(shard, stack, 0);
        tables_add_cohort(shard, holder, &cohort);
        tables_add_record(shard, holder, i, now, 10);
    }
    return root;
}

/* A thread that is stopped within the lock: the dump goes on, and says so. */
static void test_a_stopped_thread_holds_nothing_up(void **state)
{
    (void)state;
    struct inventory *inventory;
    struct handle_root *root = locked_tables(4, &inventory);
    tables_shard(inventory, 1)->lock = 1;
    tables_shard(inventory, 2)->lock = 2;
    tables_shard(inventory, 2)->version = 7;
    uint64_t start = monotonic_ns();
    struct handle_dump *dump = dump_of(root, 0, true);
    assert_true(monotonic_ns() - start < SECOND / 4);
    assert_int_equal(dump->live, 40);
    assert_int_equal(dump->shards_locked, 1);
    assert_int_equal(dump->shards_changing, 1);
    assert_int_equal(dump->shards_unreadable, 0);
    assert_int_equal(dump->inventories[0].holdings[0].oldest_count, 4);
    assert_int_equal(tables_shard(inventory, 0)->lock, 0);
    assert_int_equal(tables_shard(inventory, 1)->lock, 1); /* theirs as before */
    assert_int_equal(tables_shard(inventory, 2)->lock, 2);
    assert_int_equal(tables_shard(inventory, 3)->lock, 0);
    handle_dump_free(dump);
}

/* However many are locked. */
static void test_waits_for_locks_have_a_limit(void **state)
{
    (void)state;
    struct handle_root *root = NULL;
    struct inventory *inventory;
    root = locked_tables(INVENTORY_SHARDS_MAX, &inventory);
    for (uint32_t n = 1; n < 30; n++)
        tables_inventory(root, "more", INVENTORY_SHARDS_MAX);
    for (uint32_t n = 0; n < 30; n++)
        for (uint32_t i = 0; i < INVENTORY_SHARDS_MAX; i++)
            tables_shard((struct inventory *)(uintptr_t)root->inventories[n], i)->lock = 1;
    uint64_t start = monotonic_ns();
    struct handle_dump *dump = dump_of(root, 0, false);
    assert_true(monotonic_ns() - start < 2 * SECOND);
    assert_int_equal(dump->shards_locked, 30 * INVENTORY_SHARDS_MAX);
    assert_int_equal(dump->live, INVENTORY_SHARDS_MAX * 10);
    handle_dump_free(dump);
}

/* ---- tables that change while they are read ---- */

struct churn {
    struct inventory *inventory;
    atomic_int stop;
    bool with_lock;
};

#define SIZE_OF_ONE 37u

/* Adds to and takes from one holder; bytes and age follow from the count, but not in between. */
static void *churn(void *argument)
{
    struct churn *churn = argument;
    for (uint32_t turn = 0; !atomic_load(&churn->stop); turn++) {
        struct handle_shard *shard = tables_shard(churn->inventory, turn % 2);
        uint32_t free = 0;
        while (churn->with_lock && !atomic_compare_exchange_weak(&shard->lock, &free, 1))
            free = 0;
        atomic_fetch_add(&shard->version, 1);
        struct handle_cohort *cohort = tables_cohort(shard, 1);
        uint32_t count = turn * 7919 % 1000 + 1;
        volatile uint32_t *volatile_count = &cohort->count;
        *volatile_count = count;
        for (volatile int i = 0; i < 200; i++)
            ;
        cohort->bytes = count * SIZE_OF_ONE;
        shard->live = count;
        atomic_fetch_add(&shard->version, 1);
        if (churn->with_lock)
            atomic_store(&shard->lock, 0);
        uint64_t begin = monotonic_ns(); /* a reader needs a moment in which it can succeed */
        while (!churn->with_lock && monotonic_ns() - begin < 200000)
            ;
    }
    return NULL;
}

static void look_for_tears(const struct handle_root *root, struct inventory_source *reader,
                           int times, size_t *changing)
{
    for (int i = 0; i < times; i++) {
        struct handle_dump *dump = NULL;
        const struct inventory_wish wish = { .root = (uint64_t)(uintptr_t)root };
        assert_int_equal(inventory_source_dump(reader, &wish, &dump), 0);
        *changing += dump->shards_changing;
        assert_int_equal(dump->shards_unreadable, 0);
        if (dump->shards_changing == 0 && dump->live * SIZE_OF_ONE != dump->inventories[0].bytes)
            fail_msg("torn: %" PRIu64 " handles, %" PRIu64 " bytes", dump->live,
                     dump->inventories[0].bytes);
        handle_dump_free(dump);
    }
}

static struct handle_root *churned_tables(struct inventory **inventory)
{
    struct handle_root *root = tables_new();
    *inventory = tables_inventory(root, "churn", 2);
    uint32_t stack = stack_of(root, 0x1000);
    for (uint32_t i = 0; i < 2; i++) {
        struct handle_shard *shard = tables_shard(*inventory, i);
        struct handle_cohort cohort = at_once(now, 1, SIZE_OF_ONE);
        tables_add_cohort(shard, tables_add_holder(shard, stack, 0), &cohort);
    }
    return root;
}

static void test_nothing_is_torn_under_the_lock(void **state)
{
    (void)state;
    struct churn churned = { .with_lock = true };
    struct handle_root *root = churned_tables(&churned.inventory);
    pthread_t thread;
    size_t changing = 0;
    assert_int_equal(pthread_create(&thread, NULL, churn, &churned), 0);
    look_for_tears(root, source, 3000, &changing);
    atomic_store(&churned.stop, 1);
    pthread_join(thread, NULL);
    if (changing > 5400) /* a loaded machine stops the writer within its lock more often than not */
        fail_msg("%zu shards of 6000 could not be had", changing);
}

/* Of another process the version alone tells. */
static void test_nothing_is_torn_in_another_process(void **state)
{
    (void)state;
    struct churn churned = { .with_lock = false };
    struct handle_root *root = churned_tables(&churned.inventory);
    pid_t child = fork();
    if (child == 0)
        churn(&churned);
    struct target other;
    assert_int_equal(target_open(&other, child), 0);
    struct modules *its_modules = modules_new(&other);
    struct inventory_source *reader = inventory_source_new(&other, its_modules, NULL);
    size_t changing = 0;
    look_for_tears(root, reader, 2000, &changing);
    assert_int_equal(tables_shard(churned.inventory, 0)->lock, 0); /* never touched */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (changing > 3600) /* ... or within its change; a sanitizer makes that long */
        fail_msg("%zu shards of 4000 could not be had", changing);
    inventory_source_free(reader);
    modules_free(its_modules);
    target_close(&other);
}

/* What lies in the service's memory may be anything. */
static void test_tables_that_are_wrong(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 12; wrong++) {
        struct inventory *inventory;
        struct handle_root *root = locked_tables(2, &inventory);
        struct handle_shard *shard = tables_shard(inventory, 0);
        struct stack_pool *pool = (struct stack_pool *)(uintptr_t)root->pool;
        switch (wrong) {
        case 0: shard->cohorts.directory = 8; break;
        case 1: ((uint64_t *)(uintptr_t)shard->holders.directory)[0] = 16; break;
        case 2: shard->holders.count = UINT32_MAX; break;
        case 3: shard->cohorts.count = shard->cohorts.capacity = UINT32_MAX; break;
        case 4: tables_cohort(shard, 1)->older = 1; break; /* a ring */
        case 5: tables_cohort(shard, 1)->older = 5000; break;
        case 6: tables_holder(shard, 1)->cohorts = 5000; break;
        case 7: inventory->shard_count = UINT32_MAX; break;
        case 8: inventory->shards = 24; break;
        case 9: memset(inventory->name, 'x', sizeof inventory->name); break;
        case 10: root->inventories[0] = 32; break;
        case 11: pool->count = pool->used = UINT32_MAX; break;
        }
        struct handle_dump *dump = dump_of(root, 0, true);
        assert_true(dump->live <= 20 + 10 * (wrong == 4));
        assert_int_equal(dump->shards_unreadable, wrong < 4 ? 1 : wrong == 8 ? 2 : 0);
        assert_true(inventory_source_live(source, (uint64_t)(uintptr_t)root, 0) <= 20);
        handle_dump_free(dump);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_tables),
        cmocka_unit_test(test_sums_over_all_shards),
        cmocka_unit_test(test_labels_keep_holders_apart),
        cmocka_unit_test(test_ages_fall_into_their_buckets),
        cmocka_unit_test(test_the_mean_age_of_a_cohort_decides),
        cmocka_unit_test(test_sums_of_ages_have_room),
        cmocka_unit_test(test_stacks_that_are_not_known),
        cmocka_unit_test(test_the_oldest_are_found),
        cmocka_unit_test(test_wrong_removes),
        cmocka_unit_test(test_a_stopped_thread_holds_nothing_up),
        cmocka_unit_test(test_waits_for_locks_have_a_limit),
        cmocka_unit_test(test_nothing_is_torn_under_the_lock),
        cmocka_unit_test(test_nothing_is_torn_in_another_process),
        cmocka_unit_test(test_tables_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
