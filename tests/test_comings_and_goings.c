/* test_comings_and_goings.c proves that a dump stays right while the service changes
 * under it: threads by the thousand begin and end, libraries are unloaded and
 * others come to the same addresses, the listener is started and stopped by
 * several threads at once, and SIGURG is the service's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "dump_text.h"
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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")
#define STAYERS 10
#define CREATORS 4

static int empty_pipe[2];
static _Atomic bool going;

static int count_tasks(void)
{
    char text[4096] = "";
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    const char *at = got > 0 ? strstr(text, "\nThreads:") : NULL;
    return at ? atoi(at + 9) : -1;
}

static int start(void **state)
{
    (void)state;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    return pipe2(empty_pipe, O_CLOEXEC) || snag_start(&options) ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    snag_stop();
    return 0;
}

static int take_dump(int number, struct dump *dump)
{
    return number % 2 ? dump_by_http(snag_address(), "/debug/pprof/threads?debug=2", dump)
                      : dump_by_call(dump);
}

/* ---- threads ---- */

static _Atomic unsigned created;
static _Atomic pid_t stayers[STAYERS];

static NOINLINE void stays_in_read(int number)
{
    char byte;
    stayers[number] = (pid_t)syscall(SYS_gettid);
    while (read(empty_pipe[0], &byte, 1) != 1)
        STAY();
}

static void *stayer_main(void *number)
{
    stays_in_read((int)(intptr_t)number);
    return NULL;
}

static void *short_life(void *length)
{
    usleep((unsigned)(intptr_t)length);
    return NULL;
}

static void *creator_main(void *unused)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    for (unsigned i = 0; going; i++) {
        pthread_t threads[8];
        for (unsigned j = 0; j < 8; j++)
            if (pthread_create(&threads[j], &attributes, short_life,
                               (void *)(intptr_t)((i + j) % 5 * 200)))
                abort();
        for (unsigned j = 0; j < 8; j++)
            pthread_join(threads[j], NULL);
        created += 8;
    }
    return unused;
}

static void stayers_are_whole(const struct dump *dump)
{
    for (int i = 0; i < STAYERS; i++) {
        const struct dump_thread *thread = dump_find(dump, stayers[i]);
        assert_non_null(thread);
        assert_string_equal(thread->capture, "procfs");
        assert_true(dump_has_function(thread, "stays_in_read"));
        assert_true(dump_has_function(thread, "stayer_main"));
    }
}

static void test_threads_come_and_go(void **state)
{
    (void)state;
    pthread_t stayer[STAYERS], creators[CREATORS];
    going = true;
    for (intptr_t i = 0; i < STAYERS; i++)
        pthread_create(&stayer[i], NULL, stayer_main, (void *)i);
    for (int i = 0; i < CREATORS; i++)
        pthread_create(&creators[i], NULL, creator_main, NULL);
    usleep(50000);
    for (int i = 0; i < 200 || (created < 2000 && i < 2000); i++) {
        struct dump dump;
        assert_int_equal(take_dump(i, &dump), 0);
        stayers_are_whole(&dump);
        dump_free(&dump);
    }
    going = false;
    for (int i = 0; i < CREATORS; i++)
        pthread_join(creators[i], NULL);
    assert_true(created >= 2000);
    char bytes[STAYERS] = { 0 };
    assert_int_equal(write(empty_pipe[1], bytes, STAYERS), STAYERS);
    for (int i = 0; i < STAYERS; i++)
        pthread_join(stayer[i], NULL);
}

/* ---- libraries ---- */

static char library[4096];
static _Atomic pid_t guest_tid;
static void (*guest_waits)(int, void (*)(void));

static void note_guest(void)
{
    guest_tid = (pid_t)syscall(SYS_gettid);
}

static void *guest_main(void *unused)
{
    guest_waits(empty_pipe[0], note_guest);
    STAY();
    return unused;
}

static void copy_file(const char *from, const char *to)
{
    char command[9000];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* One thread inside the library PATH, seen there; then the library is gone. */
static uintptr_t visit(const char *path, int number)
{
    pthread_t thread;
    struct dump dump;
    char byte = 0;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(handle);
    void *symbol = dlsym(handle, "guest_waits");
    assert_non_null(symbol);
    guest_waits = (void (*)(int, void (*)(void)))(uintptr_t)symbol;
    guest_tid = 0;
    pthread_create(&thread, NULL, guest_main, NULL);
    while (!guest_tid)
        usleep(1000);
    usleep(20000);
    assert_int_equal(take_dump(number, &dump), 0);
    const struct dump_thread *seen = dump_find(&dump, guest_tid);
    assert_non_null(seen);
    assert_string_equal(seen->capture, "procfs");
    assert_true(dump_has_function(seen, "guest_waits"));
    assert_true(dump_has_function(seen, "guest_main"));
    dump_free(&dump);

    /* JSON names the file: it must be the one that is there now. */
    struct http_reply reply;
    assert_int_equal(http_get(snag_address(), "/debug/threads?format=json", 30, &reply), 0);
    assert_non_null(strstr(reply.body, path));
    http_reply_free(&reply);

    assert_int_equal(write(empty_pipe[1], &byte, 1), 1);
    pthread_join(thread, NULL);
    dlclose(handle);
    assert_int_equal(take_dump(number + 1, &dump), 0);
    assert_null(dump_find(&dump, guest_tid));
    dump_free(&dump);
    return (uintptr_t)symbol;
}

static void test_libraries_come_and_go(void **state)
{
    (void)state;
    const char *build = getenv("SNAG_BUILD");
    snprintf(library, sizeof library, "%s/tests/programs/guest.so", build ? build : ".");
    uintptr_t last = 0;
    int same_place = 0;
    for (int i = 0; i < 12; i++) {
        char copy[128];
        snprintf(copy, sizeof copy, "/tmp/snag-guest-%d-%d.so", (int)getpid(), i);
        copy_file(library, copy);
        uintptr_t now = visit(copy, i);
        unlink(copy);
        same_place += now == last;
        last = now;
    }
    assert_true(same_place > 0); /* or the test has not tested what it should */
}

/* ---- the listener ---- */

static _Atomic int unexpected;

static void say_nothing(const char *line, void *user)
{
    (void)line;
    (void)user;
}

static void *start_and_stop(void *seed)
{
    unsigned number = (unsigned)(intptr_t)seed;
    snag_options options = SNAG_OPTIONS_INIT;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    options.listen = "127.0.0.1:0";
    options.log = say_nothing;
    for (int i = 0; i < 60; i++) {
        number = number * 1103515245u + 12345u;
        int status = 0;
        switch (number >> 16 & 3) {
        case 0:
        case 1: status = snag_start(&options); break;
        case 2: snag_stop(); break;
        case 3: status = snag_write("threads", null, 0); break;
        }
        if (status != 0 && status != -EALREADY) {
            fprintf(stderr, "status %d\n", status);
            unexpected++;
        }
        snag_address();
    }
    close(null);
    return NULL;
}

/* How many threads there are when that has been the same for a while: the kernel
 * forgets one a little after it has been joined. A sanitizer has one of its own. */
static int settled_tasks(void)
{
    int count = count_tasks();
    for (int same = 0; same < 40; same++) {
        usleep(10000);
        int now = count_tasks();
        if (now != count)
            same = 0;
        count = now;
    }
    return count;
}

static void test_start_and_stop_by_several(void **state)
{
    (void)state;
    pthread_t threads[5];
    snag_stop();
    int before = settled_tasks();
    for (intptr_t i = 0; i < 5; i++)
        pthread_create(&threads[i], NULL, start_and_stop, (void *)(i * 7919 + 1));
    for (int i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    snag_stop();
    assert_null(snag_address());
    assert_int_equal(unexpected, 0);
    assert_int_equal(settled_tasks(), before);
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    assert_int_equal(snag_start(&options), 0);
    struct dump dump;
    assert_int_equal(take_dump(1, &dump), 0);
    const struct dump_thread *self = dump_find(&dump, getpid());
    assert_non_null(self);
    assert_true(dump_has_function(self, "test_start_and_stop_by_several"));
    dump_free(&dump);
}

/* ---- signals ---- */

static _Atomic int own_signals, foreign_signals, errno_changed;
static _Atomic pid_t spinner;

static void on_urg(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    if (info->si_code == SI_TKILL || info->si_code == SI_USER)
        own_signals++;
    else
        foreign_signals++;
}

static NOINLINE void spins(void)
{
    spinner = (pid_t)syscall(SYS_gettid);
    errno = 77;
    while (going)
        if (errno != 77)
            errno_changed++;
}

static void *spinner_main(void *unused)
{
    spins();
    return unused;
}

static int dumps_with_signal(int dumps)
{
    int asked = 0;
    assert_non_null(snag_address());
    for (int i = 0; i < dumps; i++) {
        struct dump dump;
        assert_int_equal(take_dump(i, &dump), 0);
        const struct dump_thread *thread = dump_find(&dump, spinner);
        assert_non_null(thread);
        if (strcmp(thread->capture, "signal") == 0) {
            assert_true(dump_has_function(thread, "spins"));
            asked++;
        }
        dump_free(&dump);
    }
    return asked;
}

/* The service's handler for SIGURG gets the service's signals and none of snag's,
 * whether it was set before the first question or after it. */
static void test_signal_of_the_service(void **state)
{
    (void)state;
    struct sigaction action = { .sa_sigaction = on_urg, .sa_flags = SA_SIGINFO | SA_RESTART };
    pthread_t thread;
    going = true;
    spinner = 0;
    pthread_create(&thread, NULL, spinner_main, NULL);
    while (!spinner)
        usleep(1000);
    int first = dumps_with_signal(20);
    assert_int_equal(sigaction(SIGURG, &action, NULL), 0);
    raise(SIGURG);
    assert_int_equal(own_signals, 1);
    int second = dumps_with_signal(20);
    raise(SIGURG);
    going = false;
    pthread_join(thread, NULL);
    raise(SIGURG);
    assert_int_equal(own_signals, 3);
    assert_int_equal(foreign_signals, 0);
    assert_int_equal(errno_changed, 0);
    assert_true(first >= 15);
    assert_true(second >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_come_and_go),
        cmocka_unit_test(test_libraries_come_and_go),
        cmocka_unit_test(test_start_and_stop_by_several),
        cmocka_unit_test(test_signal_of_the_service),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, stop);
}
