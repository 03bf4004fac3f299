/* test_stack_memo.c proves that a stack known from an earlier walk (memo.c) is the
 * stack that a walk finds: millions of them, over frames of all sizes, with and without frame
 * pointers, deeper and less deep, in several threads, with signal handlers in between. Every number
 * is held against a walk taken at the same place, and most must have come without one. And that no
 * word is read of a coroutine's stack that is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/stack.h"
#include "stacks/memo.h"
#include "stacks/pool.h"
#include "stacks/stacks.h"

#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER
#define WALKS 40000
#else
#define WALKS 1000000
#endif
#define THREADS 4
#define PAGE ((size_t)4096)
#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")

/* What one thread did. */
struct work {
    unsigned long walks;
    unsigned long known; /* numbers that came without a walk */
    unsigned long wrong;
    uint64_t random;
};

static _Thread_local struct work *work;
static void (*at_the_bottom)(void);

static uint32_t dice(uint32_t sides)
{
    /* Marsaglia's xorshift. */
    uint64_t x = work->random;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    work->random = x;
    return (uint32_t)(x >> 20) % sides;
}

static const struct stack_node *node_of(uint32_t number)
{
    const struct stack_pool *pool = stack_pool_of_process();
    uint32_t place = pool->places[number];
    const uint64_t *chunk = (const uint64_t *)(uintptr_t)pool->chunks[place / POOL_CHUNK_WORDS];
    return (const struct stack_node *)(chunk + place % POOL_CHUNK_WORDS);
}

static bool is_of(uint32_t number, const struct stack_walk *walk, const uint64_t *frames)
{
    const struct stack_node *node = node_of(number);
    if (node->count != walk->count || node->end != walk->end)
        return false;
    for (size_t i = 0; i < walk->count; i++)
        if ((node->frames[i] & ~(FRAME_GUEST_MASK << FRAME_GUEST_SHIFT)) != frames[i])
            return false;
    return true;
}

/* Takes the number of one stack three times, and a walk for comparison. */
static NOINLINE void number_and_walk(unsigned skip)
{
    uint64_t frames[STACK_FRAMES_MAX];
    for (int i = 0; i < 3; i++) {
        work->known += memo_look((uintptr_t)STACK_FRAME, skip).number != 0;
        uint32_t number = stack_number(STACK_FRAME, skip);
        struct stack_walk walk = stack_here(STACK_FRAME, skip, frames, STACK_FRAMES_MAX);
        work->walks++;
        if (number != STACK_OTHER && !is_of(number, &walk, frames))
            work->wrong++;
    }
    STAY();
}

/* Ways down. At each level one of these functions is called, by chance. */
typedef void way(int depth);
static way small, equal, middle, wide, with_frame_pointer, with_alloca, twice, large;
static way *const ways[] = { small,       equal, middle, wide, with_frame_pointer,
                             with_alloca, twice, large };
#define WAYS (sizeof ways / sizeof *ways)

static void go_on(int depth)
{
    if (depth > 0)
        ways[dice(WAYS)](depth - 1);
    else
        at_the_bottom();
}

#define WAY(name, bytes)                                                                           \
    static NOINLINE void name(int depth)                                                           \
    {                                                                                              \
        char local[bytes];                                                                         \
        __asm__ volatile("" : : "r"(local), "r"(#name) : "memory");                                \
        go_on(depth);                                                                              \
        __asm__ volatile("" : : "r"(local) : "memory");                                            \
    }
WAY(small, 8)
WAY(equal, 8)
WAY(middle, 120)
WAY(wide, 700)
WAY(large, 5000)

static NOINLINE void with_frame_pointer(int depth)
{
    void *volatile frame = __builtin_frame_address(0);
    go_on(depth);
    (void)frame;
    STAY();
}

static NOINLINE void with_alloca(int depth)
{
    char *local = alloca(16 * (dice(3) + 1)); /* one return address, several distances */
    __asm__ volatile("" : : "r"(local) : "memory");
    go_on(depth);
    STAY();
}

static NOINLINE void twice(int depth)
{
    if (dice(2))
        go_on(depth);
    else
        go_on(depth);
    STAY();
}

static void bottom(void)
{
    number_and_walk(0);
    STAY();
}

static volatile unsigned skips = 3; /* or it is three calls to the compiler, from three places */

static void skipping_bottom(void)
{
    for (unsigned skip = 0; skip < skips; skip++)
        number_and_walk(skip);
    STAY();
}

/* COUNT ways down of at most DEPTH levels, of which the first MANY are different. */
static NOINLINE void take_ways(unsigned long count, uint32_t many, uint32_t depth, uint64_t seed)
{
    for (unsigned long i = 0; i < count; i++) {
        work->random = (seed + i * (i + 7) % many) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        dice(2);
        go_on((int)(1 + dice(depth)));
    }
}

static void report(const struct work *done, const char *what)
{
    print_message("%lu stacks %s: %lu known without a walk, %lu wrong\n", done->walks, what,
                  done->known, done->wrong);
    assert_int_equal(done->wrong, 0);
}

static void test_random_ways(void **state)
{
    struct work own = { .random = 1 };
    (void)state;
    work = &own;
    at_the_bottom = bottom;
    take_ways(WALKS / 3, 3001, 12, 1);
    report(&own, "by chance");
    assert_true(own.known > own.walks / 2);
    own = (struct work){ .random = 1 };
    at_the_bottom = skipping_bottom;
    take_ways(WALKS / 50, 100, 12, 1);
    report(&own, "without their first frames");
    assert_true(own.known > own.walks / 2);
}

/* The same function over and over, as deep as the cut and deeper. */
static NOINLINE void recurse(int depth)
{
    if (depth > 0)
        recurse(depth - 1);
    else
        number_and_walk(0);
    STAY();
}

static void test_depths(void **state)
{
    struct work own = { .random = 5 };
    (void)state;
    work = &own;
    for (int i = 0; i < WALKS / 100; i++)
        recurse((int)dice(i % 10 ? 80 : 300));
    report(&own, "of a recursion");
    assert_true(own.known > own.walks / 2);
}

/* Two callers with frames of one size, in turn: all is equal but a word. */
static NOINLINE void one_caller(void)
{
    number_and_walk(0);
    STAY();
}

static NOINLINE void other_caller(void)
{
    number_and_walk(0);
    __asm__ volatile("nop" ::: "memory"); /* or it is the same function to the compiler */
}

static void test_callers_in_turn(void **state)
{
    struct work own = { .random = 1 };
    (void)state;
    work = &own;
    for (int i = 0; i < 1000; i++) {
        one_caller();
        other_caller();
    }
    report(&own, "of two callers in turn");
    assert_true(own.known > own.walks - 20);
}

static void *walker(void *argument)
{
    struct work *own = argument;
    work = own;
    take_ways(WALKS / 12, 300, 14, 77);
    return NULL;
}

static void test_threads(void **state)
{
    static struct work works[THREADS];
    pthread_t threads[THREADS];
    (void)state;
    at_the_bottom = bottom;
    for (int i = 0; i < THREADS; i++) {
        works[i].random = 1;
        assert_int_equal(pthread_create(&threads[i], NULL, walker, &works[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        report(&works[i], "in a thread beside others");
        assert_true(works[i].known > works[i].walks / 2);
    }
}

/* A thread gains from what another one found: stacks that are equal lie at other addresses. */

static NOINLINE void *walk_thrice(void *argument)
{
    work = argument;
    with_frame_pointer(0);
    STAY();
    return NULL;
}

static void test_shared(void **state)
{
    (void)state;
    at_the_bottom = bottom;
    struct work last;
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, (size_t)(i + 4) << 16); /* not where others were */
        last = (struct work){ .random = 1 };
        assert_int_equal(pthread_create(&thread, &attributes, walk_thrice, &last), 0);
        pthread_join(thread, NULL);
        report(&last, "in a new thread");
    }
    /* Its first walk finds out how far the stack may be read. */
    assert_int_equal(last.known, 2);
}

/* Handlers that walk, too, amid everything. */

static struct work of_handler = { .random = 1 };
static volatile sig_atomic_t handled;

static void handler(int number)
{
    struct work *before = work;
    (void)number;
    work = &of_handler;
    number_and_walk(0);
    take_ways(3, 3, 4, 5);
    work = before;
    handled++;
}

static void test_handlers(void **state)
{
    struct work own = { .random = 1 };
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;
    struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
    (void)state;
    work = &own;
    at_the_bottom = bottom;
    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 200 && handled < 200; i++)
        take_ways(WALKS / 100, 300, 12, 900);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &old, NULL);
    report(&own, "with handlers in between");
    report(&of_handler, "in handlers");
    assert_true(handled >= 200);
}

#if !defined(UNDER_SANITIZER)

/* A coroutine's stack is gone, and a smaller one is where its beginning was. What lies innermost is
 * the same, word by word, at the same place; what a memo of the larger one would look at next lies
 * where nothing is. */

#define LARGE ((size_t)64 << 10)
#define SMALL ((size_t)16 << 10)

static ucontext_t outside, inside;
static size_t padding;
static int chain_length;
static uintptr_t reached;
static bool only_measure;

static NOINLINE void chain_end(void)
{
    reached = (uintptr_t)STACK_FRAME;
    if (!only_measure)
        number_and_walk(0);
    STAY();
}

static NOINLINE void chain(int length)
{
    if (length > 0)
        chain(length - 1);
    else
        chain_end();
    STAY();
}

static void large_coroutine(void)
{
    char *local = alloca(padding + 16);
    __asm__ volatile("" : : "r"(local) : "memory");
    chain(chain_length);
    STAY();
}

static void small_coroutine(void)
{
    chain(chain_length);
    STAY();
}

/* Returns how far from the stack's end the chain's end was. */
static size_t run_on(char *bytes, size_t size, void (*coroutine)(void))
{
    getcontext(&inside);
    inside.uc_stack.ss_sp = bytes;
    inside.uc_stack.ss_size = size;
    inside.uc_link = &outside;
    makecontext(&inside, coroutine, 0);
    swapcontext(&outside, &inside);
    return (size_t)((uintptr_t)bytes + size - reached);
}

static void shrink_under(char *bytes)
{
    assert_int_equal(mprotect(bytes, LARGE, PROT_READ | PROT_WRITE), 0);
    padding = 0;
    only_measure = true; /* the small one's walk is not to be known */
    size_t below_small = run_on(bytes, SMALL, small_coroutine);
    size_t below_large = run_on(bytes, LARGE, large_coroutine);
    only_measure = false;
    padding = LARGE - below_large - (SMALL - below_small);
    for (int i = 0; i < 3; i++)
        run_on(bytes, LARGE, large_coroutine);
    uintptr_t before = reached;
    unsigned long known = work->known;
    run_on(bytes, LARGE, large_coroutine);
    assert_int_equal(work->known, known + 3);
    assert_int_equal(mprotect(bytes + SMALL, LARGE - SMALL, PROT_NONE), 0);
    run_on(bytes, SMALL, small_coroutine);
    assert_int_equal(reached, before);
}

static void test_stack_that_is_gone(void **state)
{
    struct work own = { .random = 1 };
    (void)state;
    work = &own;
    char *bytes = mmap(NULL, LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    for (chain_length = 0; chain_length < 20; chain_length++)
        shrink_under(bytes);
    report(&own, "of coroutines");
    munmap(bytes, LARGE);
}

#endif

/* More than there is room for: the last test. */
static void test_full(void **state)
{
    struct work own = { .random = 1 };
    (void)state;
    work = &own;
    at_the_bottom = bottom;
    for (int i = 0; i < 2; i++)
        take_ways(WALKS / 15, WALKS, 25, 12345);
    report(&own, "of which few come again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callers_in_turn),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_random_ways),
        cmocka_unit_test(test_depths),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_handlers),
#if !defined(UNDER_SANITIZER)
        cmocka_unit_test(test_stack_that_is_gone),
#endif
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    print_message("stacks are walked on x86-64\n");
    return 0;
}

#endif
