/* test_handles_fork.c proves that a child of fork has whole inventories and goes on with them: of
 * a fork amid the adds and removes of four threads, of one in a signal handler that came amid such
 * a call, and of several of those at once; and that handlers of pthread_atfork may add and remove.
 */
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
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define OWN 2000
#define FORKS 60
#define STORM_SECONDS 4
#define CHILD_SECONDS 20 /* then it hangs */

static snag_profile *profile;
static snag_profile *of_atfork;
static char things[THREADS + 1][OWN];
static _Thread_local bool live[OWN];
static atomic_bool stop;

/* What children report; shared with them. */
static struct report {
    _Atomic uint64_t children;
    _Atomic uint64_t good;
    _Atomic uint64_t amid; /* forked amid a call of ours */
    _Atomic uint64_t lost;
    char wrong[256];
} * report;

static void step(int thread, uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    size_t i = *random % OWN;
    if (live[i])
        snag_profile_remove(profile, &things[thread][i]);
    else
        snag_profile_add(profile, &things[thread][i], i, 0);
    live[i] = !live[i];
}

static void say_wrong(const char *words)
{
    snprintf(report->wrong, sizeof report->wrong, "%s", words);
    _exit(1);
}

/* The child's work: what it has is whole, and takes more. */
static void check_child(void)
{
    const char *wrong = handles_check(handles_inventory(profile));
    if (wrong)
        say_wrong(wrong);
    size_t before = snag_profile_count(profile);
    for (size_t i = 0; i < OWN; i++) {
        if (snag_profile_add(profile, &things[THREADS][i], 1, 0) != 0)
            say_wrong("the child cannot add");
    }
    if (snag_profile_count(profile) != before + OWN)
        say_wrong("the child's handles are not counted");
    for (size_t i = 0; i < OWN; i++) {
        if (snag_profile_remove(profile, &things[THREADS][i]) != 0)
            say_wrong("the child cannot remove");
    }
    snag_profile *own = snag_profile_new("child.own");
    if (!own || snag_profile_add(own, things, 0, 0) != 0)
        say_wrong("the child cannot make an inventory");
    wrong = handles_check(handles_inventory(profile));
    if (wrong)
        say_wrong(wrong);
    report->lost += handles_inventory(profile)->lost;
    report->good++;
    _exit(0);
}

static void *churn(void *argument)
{
    int thread = (int)(intptr_t)argument;
    uint64_t random = 88172645463325252u + (uint64_t)thread;
    while (!stop)
        step(thread, &random);
    return NULL;
}

static void start(pthread_t *threads, void *(*function)(void *))
{
    stop = false;
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, function, (void *)i), 0);
}

static void end(pthread_t *threads)
{
    stop = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    while (waitpid(-1, NULL, 0) > 0)
        report->children++;
    assert_string_equal(report->wrong, "");
    assert_int_equal(report->good, report->children);
    assert_null(handles_check(handles_inventory(profile)));
}

static int make_report(void **state)
{
    (void)state;
    profile = snag_profile_new("fork");
    of_atfork = snag_profile_new("atfork");
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return report == MAP_FAILED;
}

static int clear_report(void **state)
{
    (void)state;
    memset(report, 0, sizeof *report);
    return 0;
}

static void test_fork_amid_churn(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    start(threads, churn);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(CHILD_SECONDS);
            check_child();
        }
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    end(threads);
    assert_int_equal(report->good, FORKS);
    assert_int_equal(report->lost, 0);
}

/* ---- Forks in signal handlers ---- */

static _Thread_local volatile sig_atomic_t is_child;
static _Thread_local volatile sig_atomic_t is_amid;
static _Atomic int children_now;

static void fork_here(int signal)
{
    int before = errno;
    (void)signal;
    if (is_child || atomic_fetch_add(&children_now, 1) > 8) {
        errno = before;
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        is_child = 1;
        alarm(CHILD_SECONDS);
        /* Refused here when the handler came amid a call, and that one goes on afterwards. */
        char own;
        int status = snag_profile_add(profile, &own, 0, 0);
        is_amid = status == -EBUSY;
        if (status == 0)
            snag_profile_remove(profile, &own);
    }
    errno = before;
}

static void *churn_or_check(void *argument)
{
    int thread = (int)(intptr_t)argument;
    uint64_t random = 88172645463325252u + (uint64_t)thread;
    while (!stop) {
        step(thread, &random);
        if (is_child) {
            report->amid += is_amid;
            check_child();
        }
    }
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    if (is_child) {
        report->amid += is_amid;
        check_child();
    }
    return NULL;
}

static void test_forks_in_handlers(void **state)
{
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); /* its own locks do not stand a fork in a signal handler */
#endif
    pthread_t threads[THREADS];
    struct sigaction action = { .sa_handler = fork_here, .sa_flags = SA_RESTART };
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    start(threads, churn_or_check);
    time_t until = time(NULL) + STORM_SECONDS;
    while (time(NULL) < until) {
        for (int i = 0; i < THREADS; i++)
            pthread_kill(threads[i], SIGUSR1);
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
        while (waitpid(-1, NULL, WNOHANG) > 0) {
            report->children++;
            children_now--;
        }
        if (children_now > 8 + THREADS) /* those that were not forked count down, too */
            children_now = 0;
    }
    end(threads);
    printf("%llu children, %llu of them amid a call, %llu handles lost in them\n",
           (unsigned long long)report->good, (unsigned long long)report->amid,
           (unsigned long long)report->lost);
    assert_true(report->amid > 0);
}

/* ---- Handlers of pthread_atfork that add and remove ---- */

enum { WITHIN, AROUND, HANDLERS }; /* while all locks are held, and while none is */

static int statuses[HANDLERS][4];
static bool make_too; /* an inventory, too: there is not room for one at each fork here */

static void before(int which)
{
    statuses[which][0] = snag_profile_add(of_atfork, &statuses[which][0], 0, 0);
}

static void after(int which)
{
    char name[64];
    snprintf(name, sizeof name, "made.after.fork.%d.%d", (int)getpid(), which);
    statuses[which][1] = snag_profile_remove(of_atfork, &statuses[which][0]);
    statuses[which][2] = snag_profile_add(of_atfork, &statuses[which][2], 0, 0);
    snag_profile *made = make_too ? snag_profile_new(name) : NULL;
    statuses[which][3] = made ? snag_profile_add(made, name, 0, 0) : -1;
}

static void before_within(void)
{
    before(WITHIN);
}

static void after_within(void)
{
    after(WITHIN);
}

static void before_around(void)
{
    before(AROUND);
}

static void after_around(void)
{
    after(AROUND);
}

static void register_within(void)
{
    pthread_atfork(before_within, after_within, after_within);
}

static __attribute__((constructor)) void register_around(void)
{
    pthread_atfork(before_around, after_around, after_around);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    register_within(); /* they are not ready before any constructor */
#endif
}

/* Before the constructors of libraries: handlers are called in the order of registration, and
 * before a fork in the other order. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = register_within;
#endif

static void test_atfork_handlers(void **state)
{
    (void)state;
    for (int i = 0; i < HANDLERS; i++) /* of earlier forks */
        snag_profile_remove(of_atfork, &statuses[i][2]);
    memset(statuses, -1, sizeof statuses);
    make_too = true;
    pid_t child = fork();
    const int *all = statuses[0];
    for (int i = 0; i < HANDLERS * 4; i++) {
        if (child == 0 && all[i] != 0)
            _exit(1);
        assert_int_equal(all[i], 0);
    }
    /* Inventories that were made meanwhile are locked by nobody. */
    char name[64];
    for (int i = 0; i < HANDLERS; i++) {
        snprintf(name, sizeof name, "made.after.fork.%d.%d", (int)getpid(), i);
        const char *wrong = handles_check(handles_inventory(snag_profile_lookup(name)));
        if (child == 0 && wrong)
            _exit(2);
        assert_null(wrong);
    }
    if (child == 0)
        _exit(snag_profile_count(of_atfork) != 2 || handles_check(handles_inventory(of_atfork)));
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(snag_profile_count(of_atfork), 2);
    assert_null(handles_check(handles_inventory(of_atfork)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_fork_amid_churn, clear_report),
        cmocka_unit_test_setup(test_forks_in_handlers, clear_report),
        cmocka_unit_test_setup(test_atfork_handlers, clear_report),
    };
    return cmocka_run_group_tests(tests, make_report, NULL);
}
