/* test_handles_many.c proves that a live handle takes at most 48 bytes, beside its stack, from ten
 * thousand of them to ten million, that an inventory of few takes a few pages, and
 * that what was taken is used again.
 *
 * On two processors: on many there are more shards, and a stack that holds handles in each of them
 * takes some 50 bytes in each. Measured is what the process has in memory, so everything counts:
 * records, buckets, cohorts, and what of pages and chunks is not used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "handles_look.h"

#include <snag/snag.h>

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BYTES_A_HANDLE 48
#define WAYS 100
#define NOINLINE __attribute__((noinline))

/* A sanitizer's own memory grows with what it watches. */
static bool is_watched(void)
{
    const char *linked = getenv("SNAG_ENGINE_IS_LINKED");
    return linked && strcmp(linked, "1") == 0;
}

static NOINLINE int add_left(snag_profile *profile, int way, int depth, uintptr_t handle);

/* WAY spells the way down, so that it is a stack of its own. */
static NOINLINE int add_by_way(snag_profile *profile, int way, int depth, uintptr_t handle)
{
    int status = depth == 0 ? snag_profile_add(profile, (const void *)handle, 64, 0)
                 : way & 1  ? add_left(profile, way >> 1, depth - 1, handle)
                            : add_by_way(profile, way >> 1, depth - 1, handle);
    __asm__ volatile("" ::: "memory");
    return status;
}

static NOINLINE int add_left(snag_profile *profile, int way, int depth, uintptr_t handle)
{
    int status = add_by_way(profile, way, depth, handle);
    __asm__ volatile("nop" ::: "memory");
    return status;
}

/* Handles as malloc would give them, or as a counter does. */
static uintptr_t handle_of(size_t i, bool integers)
{
    return integers ? i : UINT64_C(0x7f3c00000000) + i * 80;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct figures {
    double bytes;      /* of memory a handle */
    double add_ns;     /* for each */
    double longest_ms; /* of one add */
    double remove_ns;
    double again; /* bytes that were taken for the same number once more */
};

static void fill(snag_profile *profile, size_t count, bool integers, double *longest_s)
{
    for (size_t i = 0; i < count; i++) {
        double start = i % 16 == 0 ? now_s() : 0;
        assert_int_equal(add_by_way(profile, (int)(i % WAYS), 7, handle_of(i, integers)), 0);
        double took = start != 0 ? now_s() - start : 0;
        if (took > *longest_s)
            *longest_s = took;
    }
    assert_int_equal(snag_profile_count(profile), count);
}

static void empty(snag_profile *profile, size_t count, bool integers)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(snag_profile_remove(profile, (const void *)handle_of(i, integers)), 0);
    assert_int_equal(snag_profile_count(profile), 0);
}

static void check(const snag_profile *profile)
{
    const char *wrong = handles_check(handles_inventory(profile));
    if (wrong)
        fail_msg("%s", wrong);
}

/* Fills and empties an inventory: twice with a few, so that all the stacks are known, which the
 * handles of any number share, then with COUNT, then with as many others. All from one place. */
static void measure(size_t count, bool integers, struct figures *figures)
{
    uint64_t before = 0;
    snag_profile *profile = snag_profile_new("first");
    for (int turn = 0; turn < 4; turn++) {
        size_t many = turn < 2 ? 4 * WAYS : count;
        if (turn == 2) {
            before = handles_resident();
            profile = snag_profile_new("many");
        }
        double longest_s = 0;
        double start = now_s();
        fill(profile, many, integers, &longest_s);
        double filled = now_s();
        uint64_t full = handles_resident() - before;
        check(profile);
        double checked = now_s();
        empty(profile, many, integers);
        if (turn == 2) {
            figures->bytes = (double)full / (double)count;
            figures->add_ns = (filled - start) * 1e9 / (double)count;
            figures->longest_ms = longest_s * 1e3;
            figures->remove_ns = (now_s() - checked) * 1e9 / (double)count;
            before = handles_resident(); /* the check's own memory may stay */
            integers = !integers;
        }
        figures->again = (double)full;
    }
    check(profile);
}

/* Each in a process of its own, whose memory is only its own. */
static void check_size(size_t count, bool integers)
{
    struct figures figures;
    int ends[2];
    fflush(stdout);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        measure(count, integers, &figures);
        _exit(write(ends[1], &figures, sizeof figures) != sizeof figures);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], &figures, sizeof figures);
    close(ends[0]);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(got, sizeof figures);
    printf("%8zu %s: %.1f bytes each, add %.0f ns, at most %.2f ms, remove %.0f ns; "
           "again: %.0f bytes more\n",
           count, integers ? "integers" : "pointers", figures.bytes, figures.add_ns,
           figures.longest_ms, figures.remove_ns, figures.again);
    if (is_watched())
        return;
    assert_true(figures.bytes <= BYTES_A_HANDLE);
    assert_true(figures.again <= 0.02 * figures.bytes * (double)count + 65536);
}

static void test_ten_thousand(void **state)
{
    (void)state;
    check_size(10000, false);
    check_size(10000, true);
}

static void test_in_between(void **state)
{
    (void)state;
    for (size_t count = 15000; count < 600000; count = count * 3 / 2)
        check_size(count, count % 2);
}

static void test_one_million(void **state)
{
    (void)state;
    check_size(1000000, false);
    check_size(1000000, true);
}

static void test_ten_million(void **state)
{
    (void)state;
    if (is_watched())
        skip();
    check_size(10000000, false);
}

static void test_few(void **state)
{
    (void)state;
    snag_profile *first = snag_profile_new("warm");
    snag_profile_add(first, first, 0, 0);
    uint64_t before = handles_resident();
    snag_profile *profile = snag_profile_new("few");
    for (uintptr_t i = 0; i < 3; i++)
        snag_profile_add(profile, (const void *)(i * 16 + 4096), 0, 0);
    uint64_t took = handles_resident() - before;
    printf("an inventory of three handles: %llu bytes\n", (unsigned long long)took);
    assert_true(is_watched() || took <= 16 * 4096);
}

static void take_two_processors(void)
{
    cpu_set_t allowed;
    cpu_set_t two;
    CPU_ZERO(&two);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&two) < 2; i++) {
        if (CPU_ISSET(i, &allowed))
            CPU_SET(i, &two);
    }
    sched_setaffinity(0, sizeof two, &two);
}

int main(void)
{
    take_two_processors();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few),         cmocka_unit_test(test_ten_thousand),
        cmocka_unit_test(test_in_between),  cmocka_unit_test(test_one_million),
        cmocka_unit_test(test_ten_million),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
