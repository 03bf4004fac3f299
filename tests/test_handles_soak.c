/* test_handles_soak.c proves that memory stays flat: two threads add and remove handles of ever
 * other numbers, from ever other stacks, of which some thousands are live at a time, for
 * SNAG_SOAK_OPERATIONS operations (100000000 for the long run; 10 million otherwise). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "handles_look.h"

#include <snag/snag.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS 2
#define OWN 10000
#define WAYS 64
#define PARTS 10
#define GROWTH_MAX (256 * 1024) /* after the first tenth */
#define SECONDS_MAX 60          /* unless the number of operations was asked for */
#define NOINLINE __attribute__((noinline))

struct worker {
    pthread_t thread;
    uint64_t random;
    uint64_t count; /* of handles that it ever added */
    uint64_t number;
    uint64_t operations; /* in each part */
    uint64_t surprises;
    uint64_t live[OWN]; /* a handle that is live; 0: none */
};

static snag_profile *profile;
static double until_s;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static NOINLINE int add_by_way(int way, uint64_t handle)
{
    int status = way > 0 ? add_by_way(way - 1, handle)
                         : snag_profile_add(profile, (const void *)(uintptr_t)handle, handle, 0);
    __asm__ volatile("" ::: "memory");
    return status;
}

static void step(struct worker *worker)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    uint64_t *place = &worker->live[worker->random % OWN];
    if (*place != 0) {
        worker->surprises += snag_profile_remove(profile, (const void *)(uintptr_t)*place) != 0;
        *place = 0;
    } else {
        /* half of them like addresses, which come again; half like numbers, which do not */
        uint64_t own = ++worker->count * THREADS + worker->number;
        *place = own % 4 < 2 ? own : (uintptr_t)place;
        worker->surprises += add_by_way((int)(worker->random >> 40) % WAYS, *place) != 0;
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (uint64_t i = 0; i < worker->operations; i++) {
        step(worker);
        if (i % 65536 == 0 && until_s != 0 && now_s() > until_s)
            break;
    }
    return NULL;
}

static void test_flat(void **state)
{
    (void)state;
    static struct worker workers[THREADS];
    const char *asked = getenv("SNAG_SOAK_OPERATIONS");
    uint64_t operations = asked ? strtoull(asked, NULL, 10) : 10000000;
    uint64_t after_first = 0;
    uint64_t most = 0;
    until_s = asked ? 0 : now_s() + SECONDS_MAX;
    profile = snag_profile_new("soak");
    for (int part = 0; part < PARTS; part++) {
        double start = now_s();
        for (uint64_t i = 0; i < THREADS; i++) {
            workers[i].number = i;
            workers[i].operations = operations / THREADS / PARTS;
            if (part == 0)
                workers[i].random = UINT64_C(88172645463325252) + i * 1000003;
            assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(workers[i].thread, NULL);
        uint64_t resident = handles_resident();
        printf("%3d %%: %llu kB resident, %zu live, %.0f ns an operation\n",
               (part + 1) * 100 / PARTS, (unsigned long long)resident / 1024,
               snag_profile_count(profile), (now_s() - start) * 1e9 / (double)(operations / PARTS));
        fflush(stdout);
        after_first = part == 0 ? resident : after_first;
        most = resident > most ? resident : most;
    }
    size_t live = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].surprises, 0);
        for (int j = 0; j < OWN; j++)
            live += workers[i].live[j] != 0;
    }
    assert_int_equal(snag_profile_count(profile), live);
    const char *wrong = handles_check(handles_inventory(profile));
    if (wrong)
        fail_msg("%s", wrong);
    const char *linked = getenv("SNAG_ENGINE_IS_LINKED"); /* a sanitizer's memory grows by itself */
    assert_true((linked && *linked == '1') || most - after_first <= GROWTH_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
