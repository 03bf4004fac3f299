/* test_handles_signals.c proves that a signal handler may add and remove at any moment: it is
 * refused, and counted, when it came amid a call of its own thread, and else it works; no
 * thread ever waits for itself, and nothing is torn. */
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
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define THREADS 2
#define OWN 512
#define SECONDS 3

static snag_profile *profile;
static char things[THREADS][OWN];
static atomic_bool stop;

static _Atomic uint64_t entered;       /* by the handler */
static _Atomic uint64_t refused;       /* adds */
static _Atomic uint64_t refused_later; /* removes */
static _Atomic uint64_t surprises;
static _Atomic uint64_t changed_errno;

static _Thread_local struct {
    char things[4];
    bool live;
} of_handler;

/* Enters a handle now and takes it out again when it comes the next time, or at once. */
static void handler(int signal)
{
    static _Atomic uint32_t turn;
    (void)signal;
    int before = errno;
    errno = 1234;
    if (!of_handler.live) {
        int status = snag_profile_add(profile, of_handler.things, 100, 0);
        of_handler.live = status == 0;
        entered += status == 0;
        refused += status == -EBUSY;
        surprises += status != 0 && status != -EBUSY;
    }
    if (of_handler.live && turn++ % 2) {
        int status = snag_profile_remove(profile, of_handler.things);
        of_handler.live = status != 0;
        refused_later += status == -EBUSY;
        surprises += status != 0 && status != -EBUSY;
    }
    changed_errno += errno != 1234;
    errno = before;
}

static void churn(int thread)
{
    static _Thread_local bool live[OWN];
    uint64_t random = 88172645463325252u + (uint64_t)thread;
    while (!stop) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t i = random % OWN;
        int status = live[i] ? snag_profile_remove(profile, &things[thread][i])
                             : snag_profile_add(profile, &things[thread][i], i, 0);
        surprises += status != 0;
        live[i] = !live[i];
    }
    for (size_t i = 0; i < OWN; i++) {
        if (live[i])
            surprises += snag_profile_remove(profile, &things[thread][i]) != 0;
    }
}

static void *work(void *argument)
{
    churn((int)(intptr_t)argument);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    if (of_handler.live)
        surprises += snag_profile_remove(profile, of_handler.things) != 0;
    return NULL;
}

static void test_storm(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    profile = snag_profile_new("storm");
    const struct inventory *inventory = handles_inventory(profile);
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    uint64_t signals = 0;
    time_t end = time(NULL) + SECONDS;
    while (time(NULL) < end) {
        for (int i = 0; i < THREADS; i++)
            signals += pthread_kill(threads[i], SIGALRM) == 0;
        nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
    }
    stop = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%llu signals, %llu entered, %llu and %llu refused\n", (unsigned long long)signals,
           (unsigned long long)entered, (unsigned long long)refused,
           (unsigned long long)refused_later);
    assert_int_equal(surprises, 0);
    assert_int_equal(changed_errno, 0);
    assert_true(entered > 0);
    assert_true(refused > 0);
    assert_int_equal(inventory->lost, refused);
    assert_null(handles_check(inventory));
    assert_int_equal(snag_profile_count(profile), 0);
}

/* A timer in the thread itself, as services have it. */
static void test_timer(void **state)
{
    (void)state;
    const struct inventory *inventory = handles_inventory(profile);
    uint64_t before = atomic_load(&entered) + atomic_load(&refused);
    uint64_t lost = inventory->lost - refused;
    stop = false;
    struct itimerval often = { { 0, 100 }, { 0, 100 } };
    struct itimerval never = { { 0, 0 }, { 0, 0 } };
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    static char own[OWN];
    time_t end = time(NULL) + SECONDS;
    for (int i = 0; i < 2000000 && time(NULL) < end; i++) {
        assert_int_equal(snag_profile_add(profile, own + i % OWN, 1, 0), 0);
        assert_int_equal(snag_profile_remove(profile, own + i % OWN), 0);
    }
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_true(atomic_load(&entered) + atomic_load(&refused) > before);
    assert_int_equal(surprises, 0);
    assert_int_equal(inventory->lost - refused, lost);
    assert_null(handles_check(inventory));
    assert_int_equal(snag_profile_count(profile), of_handler.live ? 1 : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
