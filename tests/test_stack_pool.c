/* test_stack_pool.c proves that equal stacks have one number, also when several
 * threads meet them for the first time at once, that a number's node holds the
 * stack's frames, and that a full pool goes on for what it has and says so for the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/stack.h"
#include "stacks/pool.h"
#include "stacks/stacks.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define SHARED 5000              /* stacks that all threads walk into */
#define ALL (POOL_STACKS + 5000) /* more than there is room for */
#define DEPTH 17                 /* 2^17 ways down */
#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")

static uint32_t left(unsigned bits, int depth);
static uint32_t right(unsigned bits, int depth);

static NOINLINE uint32_t bottom(void)
{
    errno = 4321;
    uint32_t number = stack_number(STACK_FRAME, 0);
    assert_int_equal(errno, 4321);
    STAY();
    return number;
}

/* The way down is spelled by BITS, so each gives a stack of its own. */
static uint32_t go_down(unsigned bits, int depth)
{
    if (depth == 0)
        return bottom();
    return bits & 1 ? left(bits >> 1, depth - 1) : right(bits >> 1, depth - 1);
}

static NOINLINE uint32_t left(unsigned bits, int depth)
{
    uint32_t number = go_down(bits, depth);
    STAY();
    return number;
}

static NOINLINE uint32_t right(unsigned bits, int depth)
{
    uint32_t number = go_down(bits, depth);
    __asm__ volatile("nop" ::: "memory"); /* or it is the same function to the compiler */
    return number;
}

static const struct stack_node *node_of(uint32_t number)
{
    const struct stack_pool *pool = stack_pool_of_process();
    uint32_t place = pool->places[number];
    const uint64_t *chunk = (const uint64_t *)(uintptr_t)pool->chunks[place / POOL_CHUNK_WORDS];
    return (const struct stack_node *)(chunk + place % POOL_CHUNK_WORDS);
}

static NOINLINE uint32_t walk_and_number(uint64_t *frames, struct stack_walk *walk)
{
    *walk = stack_here(STACK_FRAME, 0, frames, STACK_FRAMES_MAX);
    return stack_number(STACK_FRAME, 0);
}

static void test_node_holds_the_stack(void **state)
{
    uint64_t frames[STACK_FRAMES_MAX];
    struct stack_walk walk;
    (void)state;
    uint32_t number = walk_and_number(frames, &walk);
    assert_true(number >= STACK_FIRST);
    const struct stack_node *node = node_of(number);
    assert_int_equal(node->count, walk.count);
    assert_int_equal(node->end, STACK_WHOLE);
    for (size_t i = 0; i < walk.count; i++)
        assert_int_equal(node->frames[i] & ~(FRAME_GUEST_MASK << FRAME_GUEST_SHIFT), frames[i]);
}

static NOINLINE uint32_t skipping(unsigned skip)
{
    uint32_t number = stack_number(STACK_FRAME, skip);
    STAY();
    return number;
}

static void test_skip(void **state)
{
    (void)state;
    const struct stack_node *all = node_of(skipping(0));
    const struct stack_node *fewer = node_of(skipping(2));
    assert_int_equal(fewer->count + 2, all->count);
    for (size_t i = 0; i < fewer->count; i++) /* the calls above are two */
        assert_int_equal(fewer->frames[i], all->frames[i + 2]);
}

static NOINLINE uint32_t deep(int depth)
{
    uint32_t number = depth > 0 ? deep(depth - 1) : bottom();
    STAY();
    return number;
}

static void test_deep(void **state)
{
    (void)state;
    uint32_t number = deep(1000);
    assert_int_equal(node_of(number)->count, STACK_FRAMES_MAX);
    assert_int_equal(node_of(number)->end, STACK_DEEPER);
    assert_int_equal(deep(1001), number); /* what is kept of the two is the same */
}

struct walker {
    pthread_t thread;
    unsigned first;
    uint32_t *numbers;
};

static pthread_barrier_t barrier;

static NOINLINE void *walk_all(void *argument)
{
    struct walker *walker = argument;
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < SHARED; i++) {
        unsigned way = (i + walker->first) % SHARED;
        walker->numbers[way] = go_down(way, DEPTH);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint32_t left_value = *(const uint32_t *)a;
    uint32_t right_value = *(const uint32_t *)b;
    return left_value < right_value ? -1 : left_value > right_value;
}

static void test_threads_agree(void **state)
{
    static struct walker walkers[THREADS];
    (void)state;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        walkers[i].numbers = calloc(SHARED, sizeof(uint32_t));
        walkers[i].first = i % 2 ? 0 : (unsigned)i; /* close behind one another */
        assert_int_equal(pthread_create(&walkers[i].thread, NULL, walk_all, &walkers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(walkers[i].thread, NULL);
    for (int i = 1; i < THREADS; i++)
        assert_memory_equal(walkers[i].numbers, walkers[0].numbers, SHARED * sizeof(uint32_t));
    qsort(walkers[0].numbers, SHARED, sizeof(uint32_t), by_value);
    for (unsigned i = 1; i < SHARED; i++) /* and no two stacks have the same */
        assert_int_not_equal(walkers[0].numbers[i], walkers[0].numbers[i - 1]);
    for (int i = 0; i < THREADS; i++)
        free(walkers[i].numbers);
}

/* Fills the pool: the last test. */
static void test_full(void **state)
{
    uint32_t *numbers = calloc(ALL, sizeof *numbers);
    unsigned refused = 0;
    (void)state;
    for (int round = 0; round < 2; round++) {
        refused = 0;
        for (unsigned way = 0; way < ALL; way++) {
            uint32_t number = go_down(way, DEPTH);
            assert_true(number != STACK_NONE);
            if (round > 0) /* what it had it has, what was refused is */
                assert_int_equal(number, numbers[way]);
            numbers[way] = number;
            refused += number == STACK_OTHER;
        }
    }
    const struct stack_pool *pool = stack_pool_of_process();
    print_message("%u stacks had no room; %u bytes of nodes\n", refused, pool->used * 8u);
    assert_true(refused >= 5000 && refused < ALL / 2);
    assert_true(pool->count <= POOL_STACKS);
    assert_int_equal(pool->refused, 2 * refused);
    free(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_holds_the_stack),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_threads_agree),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
