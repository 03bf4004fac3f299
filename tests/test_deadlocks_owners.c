/* test_deadlocks_owners.c proves that an owner who is no thread of this process is only called
 * gone when nobody can unlock any more: not when it is another process's, and not in a
 * child of fork, where the thread that forked has got another id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "reports/picture.h"
#include "reports/reports.h"
#include "waits/waits.h"
#include "waits_json.h"
#include "workers.h"

#include <snag/snag.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t own_tid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

struct waiter {
    pthread_mutex_t *mutex;
    _Atomic pid_t tid;
};

static void *wait_for_mutex(void *argument)
{
    struct waiter *waiter = argument;
    waiter->tid = own_tid();
    pthread_mutex_lock(waiter->mutex);
    abort();
}

static void start_waiter(struct waiter *waiter, pthread_mutex_t *mutex)
{
    pthread_t thread;
    waiter->mutex = mutex;
    waiter->tid = 0;
    if (pthread_create(&thread, NULL, wait_for_mutex, waiter))
        abort();
    pthread_detach(thread);
    while (waiter->tid == 0)
        sleep_ms(1);
    wait_for_state(waiter->tid, 'S');
    sleep_ms(50);
}

static void start_listening(void)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    if (snag_start(&options) != 0)
        abort();
}

static bool is_seen(pid_t tid, const char *on, bool never)
{
    struct seen_waits seen;
    bool good = seen_get(snag_address(), &seen) == 0;
    const struct seen_wait *wait = good ? seen_find(&seen, tid) : NULL;
    good = wait && strcmp(wait->on, on) == 0 && wait->never == never;
    if (!good)
        fprintf(stderr, "%d waits on \"%s\"%s, expected \"%s\"%s\n", (int)tid,
                wait ? wait->on : "nothing", wait && wait->never ? " for ever" : "", on,
                never ? " for ever" : "");
    seen_free(&seen);
    return good;
}

/* ---- another process ---- */

static pthread_mutex_t *shared_mutex(int robust)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t *mutex =
        mmap(NULL, sizeof *mutex, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mutex == MAP_FAILED)
        abort();
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutex_init(mutex, &attributes);
    return mutex;
}

/* A process that holds MUTEX. */
static pid_t locking_process(pthread_mutex_t *mutex)
{
    int ends[2];
    char byte;
    if (pipe(ends) < 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "neighbour");
        pthread_mutex_lock(mutex);
        if (write(ends[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    if (read(ends[0], &byte, 1) != 1)
        abort();
    close(ends[0]);
    close(ends[1]);
    return pid;
}

static void test_another_process_holds_it(void **state)
{
    (void)state;
    static struct waiter waiter;
    pthread_mutex_t *mutex = shared_mutex(PTHREAD_MUTEX_STALLED);
    pid_t pid = locking_process(mutex);
    start_waiter(&waiter, mutex);
    assert_true(is_seen(waiter.tid, "mutex held by process neighbour", false));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    /* Who knows what else has the memory: it is not said to be lost. */
    assert_true(is_seen(waiter.tid, "mutex held by another process", false));
}

/* ---- after a fork ---- */

static pthread_mutex_t kept = PTHREAD_MUTEX_INITIALIZER; /* by a thread that is not forked */
static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;  /* by the thread that forks */
static _Atomic bool is_kept;
static pid_t leader;

static void *keep(void *unused)
{
    pthread_mutex_lock(&kept);
    is_kept = true;
    for (;;)
        pause();
    return unused;
}

static void *check_child(void *unused)
{
    static struct waiter for_kept, for_own;
    (void)unused;
    wait_for_state(leader, 'S');
    start_waiter(&for_kept, &kept);
    start_waiter(&for_own, &own);
    start_listening();
    /* The leader is the one who forked: if it waits itself, nobody is left to unlock. */
    bool good = is_seen(leader, "mutex whose owner is gone", true);
    good &= is_seen(for_kept.tid, "mutex held by a thread of before the fork", false);
    good &= is_seen(for_own.tid, "mutex held by a thread of before the fork", false);
    _exit(good ? 0 : 1);
}

static void test_before_the_fork(void **state)
{
    (void)state;
    pthread_t keeper;
    if (UNDER_THREAD_SANITIZER)
        skip();
    assert_int_equal(pthread_create(&keeper, NULL, keep, NULL), 0);
    while (!is_kept)
        sleep_ms(1);
    pthread_mutex_lock(&own);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t checker;
        alarm(30);
        leader = own_tid();
        if (pthread_create(&checker, NULL, check_child, NULL))
            _exit(2);
        pthread_mutex_lock(&kept);
        _exit(3);
    }
    assert_true(child_succeeds(pid));
    pthread_mutex_unlock(&own);
}

/* A child of fork may unlock what the forking thread had locked, and often does. */
static void *check_unlocked_child(void *unused)
{
    static struct waiter for_own;
    (void)unused;
    start_waiter(&for_own, &own);
    start_listening();
    _exit(is_seen(for_own.tid, "mutex held by a thread of before the fork", false) ? 0 : 1);
}

static void test_the_forking_thread_goes_on(void **state)
{
    (void)state;
    if (UNDER_THREAD_SANITIZER)
        skip();
    pthread_mutex_lock(&own);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t checker;
        alarm(30);
        if (pthread_create(&checker, NULL, check_unlocked_child, NULL))
            _exit(2);
        for (;;)
            pause();
    }
    assert_true(child_succeeds(pid));
    pthread_mutex_unlock(&own);
}

/* ---- from outside ---- */

/* A process that waits for itself; with NESTED in a namespace of ids of its own. 0: not allowed. */
static pid_t stuck_process(bool nested)
{
    long pid = syscall(SYS_clone, SIGCHLD | (nested ? CLONE_NEWPID : 0), NULL, NULL, NULL, NULL);
    if (pid == 0) {
        static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_mutex_lock(&mutex);
        mutex.__data.__owner = (int)syscall(SYS_gettid); /* the library still has our former id */
        pthread_mutex_lock(&mutex);
        _exit(1);
    }
    return pid < 0 ? 0 : (pid_t)pid;
}

static void look_at_stuck(pid_t pid, const char *text, bool never)
{
    struct lab lab;
    struct picture *picture = NULL;
    assert_int_equal(lab_open(&lab, pid, SIGNAL_NEVER), 0);
    assert_int_equal(picture_take(&lab, false, &picture), 0);
    assert_int_equal(picture->waits->count, 1);
    assert_string_equal(picture->waits->waits[0].text, text);
    assert_int_equal(picture->waits->waits[0].never, never);
    picture_free(picture);
    lab_close(&lab);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_another_process_is_looked_at(void **state)
{
    (void)state;
    if (UNDER_THREAD_SANITIZER)
        skip();
    pid_t pid = stuck_process(false);
    assert_true(pid > 0);
    sleep_ms(50);
    look_at_stuck(pid, "mutex held by itself", true);
}

/* Its locks name ids that are somebody else's out here: the kernel tells which are which. */
static void test_ids_of_another_namespace(void **state)
{
    (void)state;
    pid_t pid = UNDER_THREAD_SANITIZER ? 0 : stuck_process(true);
    if (pid == 0)
        skip();
    sleep_ms(50);
    look_at_stuck(pid, "mutex held by itself", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_the_fork),
        cmocka_unit_test(test_the_forking_thread_goes_on),
        cmocka_unit_test(test_another_process_holds_it),
        cmocka_unit_test(test_another_process_is_looked_at),
        cmocka_unit_test(test_ids_of_another_namespace),
    };
    start_listening();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
