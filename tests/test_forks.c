/* test_forks.c proves that a service with snag may make processes in every way
 * there is, also in the middle of a dump: a child has no listener, no socket
 * and no held lock of snag's, can dump itself, and can start its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "dump_text.h"
#include "http_get.h"

#include <snag/snag.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN 120

/* Under a sanitizer a child of a threaded process may not make threads:
 * ThreadSanitizer forbids it, and AddressSanitizer's allocator may have been
 * locked by a thread that the child does not have. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CHILD_MAY_START false
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define CHILD_MAY_START false
#endif
#endif
#if !defined(CHILD_MAY_START)
#define CHILD_MAY_START true
#endif
#define FRESH_EVERY 20 /* each so many children dumps itself too */

extern char **environ;

static _Atomic bool dumping;
static _Atomic int dumps_done, dumps_failed;

static void *dump_by_call_for_long(void *unused)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    while (dumping) {
        dumps_failed += snag_write("threads", null, 2) != 0;
        dumps_done++;
    }
    close(null);
    return unused;
}

static void *dump_by_http_for_long(void *unused)
{
    while (dumping) {
        struct http_reply reply;
        int status = http_get(snag_address(), "/debug/pprof/threads", 30, &reply);
        dumps_failed += status != 0 || reply.status != 200;
        dumps_done++;
        http_reply_free(&reply);
    }
    return unused;
}

static pthread_t dumpers[2];

static void start_dumpers(void)
{
    dumping = true;
    pthread_create(&dumpers[0], NULL, dump_by_call_for_long, NULL);
    pthread_create(&dumpers[1], NULL, dump_by_http_for_long, NULL);
}

static void stop_dumpers(void)
{
    dumping = false;
    pthread_join(dumpers[0], NULL);
    pthread_join(dumpers[1], NULL);
}

static int start_dumping(void **state)
{
    (void)state;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    if (snag_start(&options))
        return -1;
    start_dumpers();
    return 0;
}

static int stop_dumping(void **state)
{
    (void)state;
    stop_dumpers();
    snag_stop();
    return 0;
}

/* The child's exit status; kills it and fails when it takes longer than SECONDS. */
static int wait_for(pid_t child, int seconds)
{
    int status;
    for (int i = 0; i < seconds * 200; i++) {
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        usleep(5000);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    fail_msg("a child hangs");
    return -1;
}

/* Sockets among the first descriptors; opendir would allocate, which a child may not. */
static int count_sockets(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        char path[32], target[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        count += length > 7 && memcmp(target, "socket:", 7) == 0;
    }
    return count;
}

__attribute__((noinline)) static int child_dumps_itself(void)
{
    struct dump dump;
    if (dump_by_call(&dump))
        return 4;
    int status =
        dump.count == 1 && dump_has_function(&dump.threads[0], "child_dumps_itself") ? 0 : 5;
    dump_free(&dump);
    return status;
}

static int child_main(bool dumps)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (snag_address())
        return 3;
    return dumps ? child_dumps_itself() : 0;
}

static void the_parent_went_on(int dumps_before)
{
    for (int i = 0; i < 2000 && dumps_done < dumps_before + 4; i++)
        usleep(5000);
    assert_true(dumps_done >= dumps_before + 4);
    assert_int_equal(dumps_failed, 0);
}

static void test_fork_in_the_middle_of_dumps(void **state)
{
    (void)state;
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(child_main(CHILD_MAY_START && i % FRESH_EVERY == 0));
        assert_int_equal(wait_for(child, 30), 0);
    }
    the_parent_went_on(dumps_done);
}

static void test_a_child_made_past_the_fork_handlers(void **state)
{
    (void)state;
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child == 0)
            _exit(snag_address() != NULL);
        assert_int_equal(wait_for(child, 30), 0);
    }
    the_parent_went_on(dumps_done);
}

/* While no client of this process has a connection, there is no socket at all. */
static void test_a_child_has_no_listener(void **state)
{
    (void)state;
    stop_dumpers();
    int sockets = count_sockets();
    pid_t child = fork();
    if (child == 0)
        _exit(count_sockets() == sockets && sockets == 0 ? 0 : 1);
    int status = wait_for(child, 30);
    start_dumpers();
    assert_int_equal(status, 0);
}

static void test_spawn_in_the_middle_of_dumps(void **state)
{
    (void)state;
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child;
        char *const arguments[] = { "true", NULL };
        assert_int_equal(posix_spawnp(&child, "true", NULL, NULL, arguments, environ), 0);
        assert_int_equal(wait_for(child, 30), 0);
    }
    the_parent_went_on(dumps_done);
}

static void test_vfork_in_the_middle_of_dumps(void **state)
{
    (void)state;
    for (volatile int i = 0; i < CHILDREN; i++) {
        pid_t child = vfork();
        if (child == 0) {
            execlp("true", "true", (char *)NULL);
            _exit(127);
        }
        assert_int_equal(wait_for(child, 30), 0);
    }
    assert_int_equal(system("exit 7"), 7 << 8);
    the_parent_went_on(dumps_done);
}

/* What a child says by a pipe, as text. */
static void read_word(int fd, char *text, size_t size)
{
    ssize_t got = read(fd, text, size - 1);
    text[got > 0 ? got : 0] = 0;
}

__attribute__((noinline)) static void serves(int tell)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (snag_start(&options))
        _exit(6);
    dprintf(tell, "%s", snag_address());
    for (;;)
        pause();
}

static void test_each_worker_process_listens(void **state)
{
    (void)state;
    if (!CHILD_MAY_START)
        skip();
    pid_t children[4];
    char addresses[4][64];
    for (int i = 0; i < 4; i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        if ((children[i] = fork()) == 0)
            serves(ends[1]);
        close(ends[1]);
        read_word(ends[0], addresses[i], sizeof addresses[i]);
        close(ends[0]);
        assert_true(strncmp(addresses[i], "127.0.0.1:", 10) == 0);
        assert_string_not_equal(addresses[i], snag_address());
    }
    for (int i = 0; i < 4; i++) {
        struct dump dump;
        assert_int_equal(dump_by_http(addresses[i], "/debug/pprof/threads?debug=2", &dump), 0);
        assert_int_equal(dump.count, 1);
        assert_int_equal(dump.threads[0].tid, children[i]);
        assert_true(dump_has_function(&dump.threads[0], "serves"));
        dump_free(&dump);
    }
    for (int i = 0; i < 4; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    the_parent_went_on(dumps_done);
}

/* After exec nothing is left: not the port either. */
static void test_exec_leaves_nothing(void **state)
{
    (void)state;
    if (!CHILD_MAY_START)
        skip();
    int ends[2];
    char address[64];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        snag_options options = SNAG_OPTIONS_INIT;
        options.listen = "127.0.0.1:0";
        if (snag_start(&options))
            _exit(6);
        dprintf(ends[1], "%s", snag_address());
        execlp("sleep", "sleep", "20", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    read_word(ends[0], address, sizeof address);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0); /* closed by exec */
    close(ends[0]);
    struct http_reply reply;
    assert_int_equal(http_get(address, "/", 5, &reply), -ECONNREFUSED);
    http_reply_free(&reply);
    char path[64], target[64];
    int sockets = 0;
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)child, fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        sockets += length > 7 && memcmp(target, "socket:", 7) == 0;
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(sockets, 0);
}

/* daemon() forks and lets the parent end: the daemon starts again, on the same port. */
static void test_daemon_after_start(void **state)
{
    (void)state;
    if (!CHILD_MAY_START)
        skip();
    int ends[2];
    char text[160], first[64], second[64];
    int pid;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        snag_options options = SNAG_OPTIONS_INIT;
        options.listen = "127.0.0.1:0";
        if (snag_start(&options))
            _exit(6);
        char address[64];
        snprintf(address, sizeof address, "%s", snag_address());
        if (daemon(1, 1) || snag_address())
            _exit(7);
        alarm(30);
        usleep(100000); /* the parent is gone */
        options.listen = address;
        int status = snag_start(&options);
        dprintf(ends[1], "%d %s %s", (int)getpid(), address, status ? "none" : snag_address());
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(wait_for(child, 30), 0);
    read_word(ends[0], text, sizeof text);
    close(ends[0]);
    assert_int_equal(sscanf(text, "%d %63s %63s", &pid, first, second), 3);
    struct dump dump;
    int status = dump_by_http(second, "/debug/pprof/threads?debug=2", &dump);
    pid_t seen = status == 0 && dump.count == 1 ? dump.threads[0].tid : 0;
    dump_free(&dump);
    kill(pid, SIGKILL);
    assert_string_equal(first, second);
    assert_int_equal(status, 0);
    assert_int_equal(seen, pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_in_the_middle_of_dumps),
        cmocka_unit_test(test_a_child_made_past_the_fork_handlers),
        cmocka_unit_test(test_a_child_has_no_listener),
        cmocka_unit_test(test_spawn_in_the_middle_of_dumps),
        cmocka_unit_test(test_vfork_in_the_middle_of_dumps),
        cmocka_unit_test(test_each_worker_process_listens),
        cmocka_unit_test(test_exec_leaves_nothing),
        cmocka_unit_test(test_daemon_after_start),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start_dumping, stop_dumping);
}
