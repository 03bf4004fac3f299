/* test_handles_calls.c proves what snag.h says of inventories: names, answers, what is counted, and
 * that stacks begin where they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "handles_look.h"

#include "base/stack.h"
#include "stacks/pool.h"

#include <snag/snag.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")

extern struct handle_root snag_handles_root;

static char things[64];

/* Frame DEPTH of stack NUMBER, 0 when there is none. */
static uint64_t frame_of(uint32_t number, unsigned depth)
{
    const struct stack_pool *pool =
        (const struct stack_pool *)(uintptr_t)atomic_load(&snag_handles_root.pool);
    if (number < STACK_FIRST || number >= pool->count)
        return 0;
    uint32_t place = pool->places[number];
    const uint64_t *chunk = (const uint64_t *)(uintptr_t)pool->chunks[place / POOL_CHUNK_WORDS];
    const struct stack_node *node = (const struct stack_node *)(chunk + place % POOL_CHUNK_WORDS);
    return depth < node->count ? frame_address(node->frames[depth]) : 0;
}

struct wanted {
    uint64_t handle;
    uint32_t stack;
    uint64_t bytes;
};

static void see(const struct handle_shard *shard, const struct handle_record *record, void *context)
{
    struct wanted *wanted = context;
    if (record->handle != wanted->handle)
        return;
    wanted->stack = handles_holder(shard, record->holder)->stack;
    wanted->bytes = record->bytes;
}

static struct wanted look_up(const snag_profile *profile, const void *handle)
{
    struct wanted wanted = { .handle = (uintptr_t)handle };
    handles_each(handles_inventory(profile), see, &wanted);
    return wanted;
}

/* Whether FRAME is a return address in FUNCTION, which is short. */
static bool is_in(uint64_t frame, void (*function)(void))
{
    return frame > (uintptr_t)function && frame - (uintptr_t)function < 1200;
}

static void test_names(void **state)
{
    static const char *const bad[] = { "", "with space", "a/b", "a:b", "\xc3\xa4", "a\n", NULL };
    static const char *const ours[] = { "threads", "goroutine", "threadleak", "goroutineleak",
                                        "fds",     "handles",   "stuck",      "heap",
                                        "profile", "cmdline",   "symbol",     "trace",
                                        "allocs",  "block",     "mutex" };
    char longest[INVENTORY_NAME_MAX + 2];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_null(snag_profile_new(bad[i]));
        assert_int_equal(errno, EINVAL);
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        errno = 0;
        assert_null(snag_profile_new(ours[i]));
        assert_int_equal(errno, EEXIST);
    }
    memset(longest, 'x', sizeof longest);
    longest[INVENTORY_NAME_MAX + 1] = 0;
    assert_null(snag_profile_new(longest));
    assert_int_equal(errno, EINVAL);
    longest[INVENTORY_NAME_MAX] = 0;
    snag_profile *made = snag_profile_new(longest);
    assert_non_null(made);
    assert_string_equal(handles_inventory(made)->name, longest);
    assert_null(snag_profile_new(longest));
    assert_int_equal(errno, EEXIST);
    assert_ptr_equal(snag_profile_lookup(longest), made);
    assert_null(snag_profile_lookup("nobody"));
    assert_int_equal(errno, ENOENT);
    assert_null(snag_profile_lookup(NULL));
    assert_null(snag_profile_lookup("heap"));
    assert_non_null(snag_profile_new("A-z_0.9"));
}

static void test_answers(void **state)
{
    (void)state;
    snag_profile *profile = snag_profile_new("answers");
    const struct inventory *inventory = handles_inventory(profile);
    errno = 4321;
    assert_int_equal(snag_profile_count(profile), 0);
    assert_int_equal(snag_profile_add(profile, things, 7, 0), 0);
    assert_int_equal(snag_profile_add(profile, things, 9, 0), -EEXIST);
    assert_int_equal(snag_profile_add(profile, NULL, 0, 0), 0);
    assert_int_equal(snag_profile_count(profile), 2);
    assert_int_equal(look_up(profile, things).bytes, 7);
    assert_int_equal(inventory->double_adds, 1);
    assert_int_equal(snag_profile_remove(profile, things), 0);
    assert_int_equal(snag_profile_remove(profile, things), -ENOENT);
    assert_int_equal(snag_profile_remove(profile, NULL), 0);
    assert_int_equal(snag_profile_count(profile), 0);
    assert_int_equal(inventory->wrong_removes, 1);
    assert_int_equal(snag_profile_add(NULL, things, 0, 0), -EINVAL);
    assert_int_equal(snag_profile_remove(NULL, things), -EINVAL);
    assert_int_equal(snag_profile_count(NULL), 0);
    assert_int_equal(inventory->lost, 0);
    assert_int_equal(errno, 4321);
}

static NOINLINE void adds(void)
{
    static int skip;
    snag_profile_add(snag_profile_lookup("stacks"), things + skip, 0, skip);
    skip++;
    STAY();
}

static NOINLINE void calls_adds(void)
{
    adds();
    STAY();
}

static NOINLINE void tracks(void)
{
    SNAG_TRACK_BYTES("stacks", things + 10, 55);
    STAY();
}

static NOINLINE void untracks(void)
{
    SNAG_UNTRACK("stacks", things + 10);
    STAY();
}

static void test_stacks_begin_at_the_caller(void **state)
{
    (void)state;
    snag_profile *profile = snag_profile_new("stacks");
    calls_adds();
    calls_adds();
    assert_true(is_in(frame_of(look_up(profile, things).stack, 0), adds));
    assert_true(is_in(frame_of(look_up(profile, things).stack, 1), calls_adds));
    assert_true(is_in(frame_of(look_up(profile, things + 1).stack, 0), calls_adds));
    snag_profile_add(profile, things + 3, 0, -5);
    snag_profile_add(profile, things + 4, 0, 1000000);
    assert_int_not_equal(look_up(profile, things + 3).stack, STACK_NONE);
    assert_int_not_equal(look_up(profile, things + 4).stack, STACK_NONE);
    tracks();
    assert_true(is_in(frame_of(look_up(profile, things + 10).stack, 0), tracks));
    assert_int_equal(look_up(profile, things + 10).bytes, 55);
    untracks();
    assert_int_equal(look_up(profile, things + 10).stack, STACK_NONE);
    assert_int_equal(handles_inventory(profile)->wrong_removes, 0);
    untracks();
    assert_int_equal(handles_inventory(profile)->wrong_removes, 1);
    assert_true(is_in(frame_of(handles_inventory(profile)->wrong_remove[0].stack, 0), untracks));
}

static NOINLINE void removes_by_way(snag_profile *profile, int way)
{
    if (way > 0)
        removes_by_way(profile, way - 1);
    else
        assert_int_equal(snag_profile_remove(profile, things + 5), -ENOENT);
    STAY();
}

static void *remove_wrongly(void *profile)
{
    for (int i = 0; i < 200; i++)
        removes_by_way(profile, i % 20);
    return NULL;
}

/* Two threads, twenty stacks each, which are the same: sixteen are kept, once. */
static void test_wrong_removes(void **state)
{
    (void)state;
    pthread_t threads[2];
    snag_profile *profile = snag_profile_new("wrong");
    const struct inventory *inventory = handles_inventory(profile);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, remove_wrongly, profile), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(inventory->wrong_removes, 400);
    assert_int_equal(inventory->wrong_remove_count, WRONG_REMOVES_MAX);
    for (unsigned i = 0; i < WRONG_REMOVES_MAX; i++) {
        const struct handle_wrong_remove *wrong = &inventory->wrong_remove[i];
        assert_int_equal(wrong->ready, 1);
        assert_int_equal(wrong->times, 20);
        assert_int_equal(wrong->handle, (uintptr_t)(things + 5));
        assert_int_not_equal(wrong->tid, 0);
        assert_int_not_equal(wrong->time_ns, 0);
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(wrong->stack, inventory->wrong_remove[j].stack);
    }
}

static void *make_together(void *barrier)
{
    char name[32];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "together.%d", i);
        pthread_barrier_wait(barrier);
        snag_profile *here = NULL;
        snag_track_here(&here, name, &name, 0);
        assert_ptr_equal(here, snag_profile_lookup(name));
        snag_untrack_here(&here, name, &name);
    }
    return NULL;
}

/* Four threads come to a place at once: there is one inventory. */
static void test_made_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    pthread_barrier_t barrier;
    uint32_t before = snag_handles_root.count;
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_together, &barrier), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(snag_handles_root.count - before, 20);
}

/* What DO_IT writes to stderr, in TEXT. */
static void listen_to(void (*do_it)(void), char *text, size_t size)
{
    int ends[2];
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    do_it();
    dup2(kept, STDERR_FILENO);
    close(ends[1]);
    ssize_t length = read(ends[0], text, size - 1);
    text[length > 0 ? length : 0] = 0;
    close(ends[0]);
    close(kept);
}

static void track_what_cannot_be(void)
{
    for (int i = 0; i < 5; i++) {
        SNAG_TRACK("not allowed", things);
        SNAG_UNTRACK("heap", things);
        SNAG_TRACK("allowed", things);
    }
}

static void test_bad_name_is_said_once(void **state)
{
    char text[1000];
    (void)state;
    listen_to(track_what_cannot_be, text, sizeof text);
    assert_string_equal(text, "snag: no inventory \"not allowed\": it is not [a-zA-Z0-9._-]{1,64}; "
                              "what is tracked here is ignored\n"
                              "snag: no inventory \"heap\": it is a profile of snag's; "
                              "what is tracked here is ignored\n");
    assert_int_equal(snag_profile_count(snag_profile_lookup("allowed")), 1);
    assert_int_equal(handles_inventory(snag_profile_lookup("allowed"))->double_adds, 4);
}

/* The last of all, as nothing can be made after it. */
static void test_as_many_as_there_is_room_for(void **state)
{
    char name[32];
    (void)state;
    uint32_t count = snag_handles_root.count;
    for (; count < INVENTORIES_MAX; count++) {
        snprintf(name, sizeof name, "number.%u", count);
        assert_non_null(snag_profile_new(name));
    }
    errno = 0;
    assert_null(snag_profile_new("one.more"));
    assert_int_equal(errno, ENOSPC);
    snag_profile *last = snag_profile_lookup(name);
    assert_int_equal(snag_profile_add(last, things, 0, 0), 0);
    assert_int_equal(snag_profile_count(last), 1);
}

static void run_early(const char *stage, const char *expected)
{
    char path[4096];
    char line[256] = "";
    const char *build = getenv("SNAG_BUILD");
    snprintf(path, sizeof path, "%s/tests/programs/handles_early %s", build ? build : ".", stage);
    FILE *output = popen(path, "r");
    assert_non_null(output);
    char *read = fgets(line, sizeof line, output);
    assert_int_equal(pclose(output), 0);
    assert_non_null(read);
    assert_string_equal(line, expected);
}

/* In constructors before main, inside malloc, and in exit handlers. */
static void test_early_and_late(void **state)
{
    (void)state;
    run_early("main", "early 3 live, 0 wrong\n");
    run_early("exit", "late 4 live, 0 wrong\n");
    run_early("malloc", "malloc: as many as there are\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_stacks_begin_at_the_caller),
        cmocka_unit_test(test_wrong_removes),
        cmocka_unit_test(test_made_once),
        cmocka_unit_test(test_bad_name_is_said_once),
        cmocka_unit_test(test_early_and_late),
        cmocka_unit_test(test_as_many_as_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
