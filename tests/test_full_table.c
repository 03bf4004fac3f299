/* test_full_table.c proves that a service which has no descriptor left can still start snag and
 * write a dump, though the engine must be read from files for that; and that it gets an error, and
 * not a standstill, where it does so from a constructor of a library.
 *
 * Each scene is a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "http_get.h"

#include <snag/snag.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define DESCRIPTORS 40
#define CONSTRUCTOR_SECONDS 60 /* snag's own limit is 10; the machine may be loaded */

static NOINLINE void *waits_in_full_table(void *unused)
{
    for (;;)
        pause();
    return unused;
}

/* Nothing can be opened after it. Returns a descriptor to write to. */
static int fill_table(void)
{
    struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };
    pthread_t thread;
    int fd = memfd_create("dump", MFD_CLOEXEC);
    if (fd < 0 || setrlimit(RLIMIT_NOFILE, &limit) < 0 ||
        pthread_create(&thread, NULL, waits_in_full_table, NULL))
        abort();
    while (dup(fd) >= 0)
        ;
    if (errno != EMFILE)
        abort();
    return fd;
}

static bool has_the_thread(const char *text)
{
    return text && strstr(text, "waits_in_full_table");
}

/* 0, or a number that says what went wrong. */
static int writes(void)
{
    static char text[1 << 16];
    int fd = fill_table();
    for (int i = 1; i <= 3; i++) { /* loaded by the first, and only found by the others */
        usleep(50000);
        int status = snag_write("threads", fd, 2);
        if (status) {
            fprintf(stderr, "snag_write: %s\n", strerror(-status));
            return i;
        }
    }
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    return length > 0 && has_the_thread(text) ? 0 : 4;
}

/* Asked by another process, as this one has no descriptor to ask with. */
static int asks(const char *address)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct http_reply reply;
        for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS; fd++)
            close(fd);
        int error = http_get(address, "/debug/pprof/threads?debug=2", 20, &reply);
        _exit(error == 0 && reply.status == 200 && has_the_thread(reply.body) ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

static int starts(void)
{
    char lasting[128];
    setenv("SNAG_LISTEN", "127.0.0.1:0", 1);
    fill_table();
    for (int i = 1; i <= 2; i++) {
        int status = snag_start(NULL);
        if (status || !snag_address())
            return i;
        snprintf(lasting, sizeof lasting, "%s", snag_address());
        if (asks(lasting) != 0)
            return 10 + i;
        snag_stop();
    }
    return 0;
}

static int starts_in_constructor(void)
{
    char path[4096];
    const char *build = getenv("SNAG_BUILD");
    struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };
    snprintf(path, sizeof path, "%s/tests/programs/starts_in_full_table.so", build ? build : ".");
    setenv("SNAG_LISTEN", "127.0.0.1:0", 1);
    setrlimit(RLIMIT_NOFILE, &limit);
    alarm(CONSTRUCTOR_SECONDS);
    void *library = dlopen(path, RTLD_NOW);
    const int *status = library ? dlsym(library, "start_status") : NULL;
    if (!status) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    if (*status != -EMFILE)
        return 2;
    /* What was left over has ended meanwhile; and with room, all is well. */
    for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS; fd++)
        close(fd);
    return snag_start(NULL) == 0 && snag_address() ? 0 : 3;
}

static void play(int (*scene)(void))
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(scene());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    fail_msg("ended by %s %d", WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void test_writes(void **state)
{
    (void)state;
    play(writes);
}

static void test_starts(void **state)
{
    (void)state;
    play(starts);
}

static void test_starts_in_constructor(void **state)
{
    (void)state;
    play(starts_in_constructor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_starts_in_constructor),
    };
    return cmocka_run_group_tests_name("full table", tests, NULL, NULL);
}
