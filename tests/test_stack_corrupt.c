/* test_stack_corrupt.c proves that a walk never faults and never runs on without
 * end, whatever lies on the stack: frames are overwritten with nonsense of many
 * kinds, on stacks that end right before memory that cannot be read, and every
 * walk ends, with what was above the damage still right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/stack.h"
#include "stacks/stacks.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)128 << 10)
#define PAGE ((size_t)4096)
#define ROUNDS 4000
#define FRAMES 600
#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

/* A stack between two pages that cannot be read. */
struct ground {
    char *bytes;
    char *end;
};

static struct ground ground_new(void)
{
    char *whole = mmap(NULL, STACK_BYTES + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(whole, MAP_FAILED);
    assert_int_equal(mprotect(whole + PAGE, STACK_BYTES, PROT_READ | PROT_WRITE), 0);
    return (struct ground){ whole + PAGE, whole + PAGE + STACK_BYTES };
}

static struct ground ground;
static size_t walks, by_end[STACK_ENDS];

static uint64_t anything(uint64_t *around)
{
    uint64_t code = (uint64_t)(uintptr_t)strtol & ~UINT64_C(0xfff);
    switch (random() % 9) {
    case 0: return 0;
    case 1: return code + (uint64_t)random() % 0x80000; /* somewhere in libc */
    case 2: return (uint64_t)(uintptr_t)&anything + (uint64_t)random() % 2000;
    case 3: return (uint64_t)(uintptr_t)around + (uint64_t)random() % 4096;
    case 4: return (uint64_t)(uintptr_t)ground.end - 16 + (uint64_t)random() % 32;
    case 5: return (uint64_t)(uintptr_t)ground.bytes - 64 + (uint64_t)random() % 128;
    case 6: return (uint64_t)random() << 33 ^ (uint64_t)random() << 5;
    case 7: return UINT64_MAX - (uint64_t)random() % 64;
    default: return (uint64_t)(uintptr_t)around - (uint64_t)random() % 65536;
    }
}

/* The caller's stack, from the caller on. */
static NOINLINE struct stack_walk walk_from_here(uint64_t *frames)
{
    struct stack_walk walk = stack_here(STACK_FRAME, 0, frames, FRAMES);
    STAY();
    return walk;
}

/* Damages what is above this frame, walks, and repairs it. */
static NOINLINE void damage_and_walk(void)
{
    uint64_t frames[FRAMES];
    uint64_t *record = __builtin_frame_address(0);
    uint64_t kept[64];
    size_t words = (size_t)((uint64_t *)ground.end - record);
    if (words > 64)
        words = 64;
    memcpy(kept, record, words * sizeof *kept);
    size_t damages = 1 + (size_t)random() % 24;
    for (size_t i = 0; i < damages; i++)
        record[(size_t)random() % words] = anything(record);
    struct stack_walk walk = walk_from_here(frames);
    memcpy(record, kept, words * sizeof *kept);
    walks++;
    by_end[walk.end]++;
    if (walk.count < 1 || walk.count > FRAMES)
        abort();
    uint64_t own = frame_address(frames[0]) - (uint64_t)(uintptr_t)damage_and_walk;
    if (own > 4096)
        abort(); /* this frame itself was not damaged */
}

static NOINLINE int deeper(int depth)
{
    char local[48];
    __asm__ volatile("" : : "r"(local) : "memory");
    int result = depth > 0 ? deeper(depth - 1) + 1 : 0;
    if (depth == 0)
        damage_and_walk();
    STAY();
    return result;
}

static void *walker(void *argument)
{
    for (int i = 0; i < ROUNDS; i++)
        deeper(i % 12);
    return argument;
}

static void test_damaged_frames(void **state)
{
    pthread_attr_t attributes;
    pthread_t thread;
    (void)state;
    ground = ground_new();
    srandom(7);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, ground.bytes, STACK_BYTES);
    assert_int_equal(pthread_create(&thread, &attributes, walker, NULL), 0);
    pthread_join(thread, NULL);
    print_message("%zu walks: %zu to the outermost frame, %zu without room, %zu without table, %zu "
                  "not followed, %zu corrupt, %zu at 0\n",
                  walks, by_end[STACK_WHOLE], by_end[STACK_DEEPER], by_end[STACK_NO_TABLE],
                  by_end[STACK_NOT_FOLLOWED], by_end[STACK_CORRUPT], by_end[STACK_AT_ZERO]);
    assert_int_equal(walks, ROUNDS);
    assert_true(by_end[STACK_CORRUPT] > 0 && by_end[STACK_NO_TABLE] > 0);
    assert_true(by_end[STACK_WHOLE] < ROUNDS / 2);
}

/* A context's stack ends where the ground does; nothing above may be touched. */

static ucontext_t outside, inside;
static uint64_t context_frames[FRAMES];
static struct stack_walk context_walk;

static void in_context(void)
{
    context_walk = walk_from_here(context_frames);
    STAY();
}

static void test_context(void **state)
{
    (void)state;
    struct ground own = ground_new();
    for (size_t size = STACK_BYTES; size > STACK_BYTES - 64; size -= 8) {
        getcontext(&inside);
        inside.uc_stack.ss_sp = own.end - size;
        inside.uc_stack.ss_size = size;
        inside.uc_link = &outside;
        makecontext(&inside, in_context, 0);
        swapcontext(&outside, &inside);
        assert_int_equal(context_walk.count, 2); /* this function, and what makecontext put there */
        assert_int_equal(context_walk.end, STACK_WHOLE);
    }
}

/* Coroutines' stacks come and go: where a larger one was, a smaller one is. */
static void test_stacks_that_shrink(void **state)
{
    (void)state;
    struct ground own = ground_new();
    for (size_t size = STACK_BYTES; size >= STACK_BYTES / 8; size -= PAGE) {
        mprotect(own.bytes + size, PAGE, PROT_NONE);
        getcontext(&inside);
        inside.uc_stack.ss_sp = own.bytes;
        inside.uc_stack.ss_size = size;
        inside.uc_link = &outside;
        makecontext(&inside, in_context, 0);
        swapcontext(&outside, &inside);
        assert_int_equal(context_walk.count, 2);
    }
}

/* A handler on a stack of its own: the walk goes over to the other one and on. */

static uint64_t handler_frames[FRAMES];
static struct stack_walk handler_walk;

static void handler(int number)
{
    (void)number;
    handler_walk = walk_from_here(handler_frames);
}

static NOINLINE void raise_on_other_stack(void)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
    STAY();
}

static void test_alternate_stack(void **state)
{
    (void)state;
    struct ground own = ground_new();
    stack_t stack = { .ss_sp = own.bytes, .ss_size = STACK_BYTES };
    uint64_t frames[FRAMES];
    assert_int_equal(sigaltstack(&stack, NULL), 0);
    for (int i = 0; i < 3; i++) {
        raise_on_other_stack();
        struct stack_walk walk = walk_from_here(frames);
        assert_int_equal(handler_walk.end, STACK_WHOLE);
        assert_true(handler_walk.count > walk.count + 2);
        /* From this function's callers on the two are the same. */
        for (size_t j = 1; j < walk.count; j++)
            assert_int_equal(handler_frames[handler_walk.count - j], frames[walk.count - j]);
    }
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
}

int main(void)
{
    alarm(120);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_frames),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_stacks_that_shrink),
        cmocka_unit_test(test_alternate_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    print_message("stacks are walked on x86-64, and damaged only where no sanitizer looks on\n");
    return 0;
}

#endif
