/* test_stack_guests.c proves that a thread's own walk is right through code that
 * comes and goes: two modules, equal but for the size of a frame, are loaded
 * and unloaded in turn, land at the same addresses, and are called through. What was
 * learnt about the one must not be believed of the other; nor of a twin, through which a stack has
 * the same words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "api/inside.h"
#include "base/stack.h"
#include "stacks/pool.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#define ROUNDS 60
#define FRAMES 64

/* libgcc's own: the engine's libunwind, which is linked into tests, has the same names, and goes
 * by what it remembers of unloaded code. */
static struct {
    _Unwind_Reason_Code (*backtrace)(_Unwind_Trace_Fn, void *);
    _Unwind_Ptr (*ip)(struct _Unwind_Context *);
} libgcc;

struct walked {
    size_t own_count, true_count;
    enum stack_end end;
    uint64_t own[FRAMES], truth[FRAMES];
    uint32_t number;
};

static _Unwind_Reason_Code record_frame(struct _Unwind_Context *context, void *argument)
{
    struct walked *walked = argument;
    uint64_t address = libgcc.ip(context);
    if (address != 0 && walked->true_count < FRAMES)
        walked->truth[walked->true_count++] = address;
    return _URC_NO_REASON;
}

static __attribute__((noinline)) int walk(void *argument)
{
    struct walked *walked = argument;
    walked->true_count = 0;
    libgcc.backtrace(record_frame, walked);
    struct stack_walk own = snag_inside()->stack_here(STACK_FRAME, 0, walked->own, FRAMES);
    walked->own_count = own.count;
    walked->end = own.end;
    walked->number = snag_inside()->stack_number(STACK_FRAME, 0);
    return 7;
}

/* The module's path; it is not left loaded. */
static void *load(const char *name, int (**through)(int (*)(void *), void *))
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tests/programs/%s.so", getenv("SNAG_BUILD"), name);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        print_error("%s\n", dlerror());
    assert_non_null(module);
    *through = (int (*)(int (*)(void *), void *))(uintptr_t)dlsym(module, "through_module");
    assert_non_null((void *)(uintptr_t)*through);
    return module;
}

/* The number is of the stack that was walked at the same place. */
static void compare_with_pool(const struct walked *walked)
{
    const struct stack_pool *pool = snag_inside()->stack_pool();
    uint32_t place = pool->places[walked->number];
    const uint64_t *chunk = (const uint64_t *)(uintptr_t)pool->chunks[place / POOL_CHUNK_WORDS];
    const struct stack_node *node = (const struct stack_node *)(chunk + place % POOL_CHUNK_WORDS);
    assert_int_equal(node->count, walked->own_count);
    assert_int_equal(node->end, walked->end);
    for (size_t i = 0; i < walked->own_count; i++)
        assert_int_equal(node->frames[i] & ~(FRAME_GUEST_MASK << FRAME_GUEST_SHIFT),
                         walked->own[i]);
}

static __attribute__((noinline)) void call_through(int (*through)(int (*)(void *), void *),
                                                   struct walked *walked)
{
    for (int i = 0; i < 4; i++) { /* later times by what was learnt the first */
        assert_int_equal(through(walk, walked), 7);
        compare_with_pool(walked);
    }
    assert_int_equal(walked->end, STACK_WHOLE);
    assert_int_equal(walked->own_count + 1, walked->true_count);
    for (size_t i = 0; i < walked->own_count; i++)
        assert_int_equal(frame_address(walked->own[i]), walked->truth[i + 1]);
}

static void load_in_turn(const char *const *names)
{
    static struct walked walked[2];
    int same_place = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int (*through)(int (*)(void *), void *);
        int which = round % 2;
        void *module = load(names[which], &through);
        call_through(through, &walked[which]);

        if (round > 1 && walked[0].own[0] == walked[1].own[0]) {
            same_place++;
            /* The same addresses, and yet another stack: the code is another one's. */
            assert_int_not_equal(walked[0].number, walked[1].number);
        }
        dlclose(module);
    }
    print_message("%d of %d times at the other one's addresses\n", same_place, ROUNDS - 2);
    assert_true(same_place > ROUNDS / 2);
}

static void test_modules_in_turn(void **state)
{
    static const char *const names[] = { "swap_small", "swap_large" };
    (void)state;
    load_in_turn(names);
}

/* Through these, all words of the stack are the same, too. */
static void test_twins_in_turn(void **state)
{
    static const char *const names[] = { "swap_small", "swap_twin" };
    (void)state;
    load_in_turn(names);
}

/* Code that was there from the start is not asked about. */
static void test_initial_code_stays(void **state)
{
    static struct walked walked;
    (void)state;
    assert_int_equal(walk(&walked), 7);
    assert_int_equal(walked.end, STACK_WHOLE);
}

int main(void)
{
    void *library = dlopen("libgcc_s.so.1", RTLD_NOW);
    if (!library)
        return 77;
    libgcc.backtrace = (__typeof__(libgcc.backtrace))(uintptr_t)dlsym(library, "_Unwind_Backtrace");
    libgcc.ip = (__typeof__(libgcc.ip))(uintptr_t)dlsym(library, "_Unwind_GetIP");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modules_in_turn),
        cmocka_unit_test(test_twins_in_turn),
        cmocka_unit_test(test_initial_code_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
