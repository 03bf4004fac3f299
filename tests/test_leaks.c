/* test_leaks.c proves that a leak check finds every planted leak and no other: what came and
 * stayed, with the stack it hangs in or was made by; each of goleak's behaviours; and that bad
 * options are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SNAG_LEAK_NOTHING_BEFORE_MAIN /* the baseline is taken by hand, where it is the subject */
#include <snag/leak.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is leaked ---- */

struct hanging {
    pthread_t thread;
    int release; /* write end of the pipe that it reads from */
    int from;
    char name[16];
};

static __attribute__((noinline)) void *hangs_here(void *argument)
{
    struct hanging *hanging = argument;
    char byte;
    pthread_setname_np(pthread_self(), hanging->name);
    while (read(hanging->from, &byte, 1) < 0 && errno == EINTR)
        ;
    return NULL;
}

/* It reads from a pipe that is there before the baseline: the pipe itself is no leak. */
static void hanging_prepare(struct hanging *hanging, const char *name)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    hanging->from = ends[0];
    hanging->release = ends[1];
    snprintf(hanging->name, sizeof hanging->name, "%s", name);
}

static __attribute__((noinline)) void starts_it(struct hanging *hanging)
{
    assert_int_equal(pthread_create(&hanging->thread, NULL, hangs_here, hanging), 0);
    __asm__ volatile("" ::: "memory"); /* no tail call: this frame is looked for */
}

static void hanging_end(struct hanging *hanging)
{
    close(hanging->release);
    pthread_join(hanging->thread, NULL);
    close(hanging->from);
}

static __attribute__((noinline)) int opens_it(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    __asm__ volatile("" ::: "memory");
    return fd;
}

/* ---- the check, with its report ---- */

struct report {
    int leaks;
    char *text;
    size_t length;
};

static struct report end(snag_leaks *before, const snag_leak_options *options)
{
    struct report report = { .text = NULL };
    FILE *out = open_memstream(&report.text, &report.length);
    assert_non_null(out);
    report.leaks = snag_leaks_end(before, options, out);
    fclose(out);
    return report;
}

static void assert_says(const struct report *report, const char *what)
{
    if (!strstr(report->text, what))
        fail_msg("'%s' is not in the report:\n%s", what, report->text);
}

static void forget(struct report *report)
{
    free(report->text);
}

/* Few looks: what is leaked here stays, and is found at the first as well. */
static snag_leak_options quick(void)
{
    snag_leak_options options = SNAG_LEAK_OPTIONS_INIT;
    options.attempts = 12;
    return options;
}

static void assert_none(snag_leaks *before, const snag_leak_options *options)
{
    struct report report = end(before, options);
    if (report.leaks != 0)
        fail_msg("%d leaks:\n%s", report.leaks, report.text);
    assert_int_equal(report.length, 0);
    forget(&report);
}

/* ---- tests ---- */

static void test_nothing_is_no_leak(void **state)
{
    (void)state;
    assert_none(snag_leaks_begin(), NULL);
    int fd = opens_it("/dev/null");
    snag_leaks *before = snag_leaks_begin(); /* what is there now (IgnoreCurrent) */
    assert_none(before, NULL);
    close(fd);
}

static void test_thread(void **state)
{
    (void)state;
    struct hanging hanging;
    hanging_prepare(&hanging, "planted");
    snag_leaks *before = snag_leaks_begin();
    starts_it(&hanging);
    snag_leak_options options = quick();
    struct report report = end(before, &options);
    assert_int_equal(report.leaks, 1);
    assert_says(&report, "snag: 1 leak: 1 thread\n");
    assert_says(&report, "\"planted\", in read");
    assert_says(&report, " hangs_here at ");
    assert_says(&report, "started by pthread_create");
    assert_says(&report, " starts_it at ");
    forget(&report);
    hanging_end(&hanging);
}

static void test_threads_alike_stand_together(void **state)
{
    (void)state;
    struct hanging hanging[12];
    for (int i = 0; i < 12; i++)
        hanging_prepare(&hanging[i], i < 10 ? "alike" : "other");
    snag_leaks *before = snag_leaks_begin();
    for (int i = 0; i < 12; i++)
        starts_it(&hanging[i]);
    snag_leak_options options = quick();
    struct report report = end(before, &options);
    assert_int_equal(report.leaks, 12);
    assert_says(&report, "snag: 12 leaks: 12 threads\n");
    assert_says(&report, "leaked 10 threads:");
    assert_says(&report, "leaked 2 threads:");
    forget(&report);
    for (int i = 0; i < 12; i++)
        hanging_end(&hanging[i]);
}

static void test_descriptors(void **state)
{
    (void)state;
    snag_leaks *before = snag_leaks_begin();
    int file = opens_it("/etc/passwd");
    int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
    int raw = (int)syscall(SYS_openat, AT_FDCWD, "/etc/group", O_RDONLY);
    snag_leak_options options = quick();
    struct report report = end(before, &options);
    assert_int_equal(report.leaks, 3);
    assert_says(&report, "snag: 3 leaks: 3 descriptors\n");
    char line[64];
    snprintf(line, sizeof line, "fd %d: file, /etc/passwd\n", file);
    assert_says(&report, line);
    snprintf(line, sizeof line, "fd %d: tcp ", socket_fd);
    assert_says(&report, line);
    snprintf(line, sizeof line, "fd %d: file, /etc/group\n", raw);
    assert_says(&report, line);
    assert_says(&report, "opened by open in thread");
    assert_says(&report, " opens_it at ");
    assert_says(&report, "leaked 1 descriptor, opened by whom is not known:");
    forget(&report);
    close(file);
    close(socket_fd);
    close(raw);
}

/* The same number is another descriptor. */
static void test_number_that_changed_hands(void **state)
{
    (void)state;
    int fd = opens_it("/etc/passwd");
    snag_leaks *before = snag_leaks_begin();
    close(fd);
    assert_int_equal(opens_it("/etc/group"), fd);
    snag_leak_options options = quick();
    struct report report = end(before, &options);
    assert_int_equal(report.leaks, 1);
    assert_says(&report, "/etc/group");
    forget(&report);
    before = snag_leaks_begin();
    close(fd);
    assert_none(before, NULL);
}

static void *ends_soon(void *fd)
{
    usleep(150000);
    close((int)(intptr_t)fd);
    return NULL;
}

static void test_what_ends_by_itself_is_waited_for(void **state)
{
    (void)state;
    pthread_t thread;
    snag_leaks *before = snag_leaks_begin();
    int fd = opens_it("/dev/null");
    assert_int_equal(pthread_create(&thread, NULL, ends_soon, (void *)(intptr_t)fd), 0);
    pthread_detach(thread);
    assert_none(before, NULL);
}

static void test_the_caller_is_no_leak(void **state)
{
    (void)state;
    assert_none(snag_leaks_begin(), NULL);
}

static void *checks(void *before)
{
    snag_leak_options options = quick();
    return (void *)(intptr_t)snag_leaks_end(before, &options, NULL);
}

static void test_a_new_thread_may_ask(void **state)
{
    (void)state;
    pthread_t thread;
    void *leaks;
    assert_int_equal(pthread_create(&thread, NULL, checks, snag_leaks_begin()), 0);
    pthread_join(thread, &leaks);
    assert_int_equal((intptr_t)leaks, 0);
}

static void test_own_listener_is_no_leak(void **state)
{
    (void)state;
    snag_leaks *before = snag_leaks_begin();
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    assert_int_equal(snag_start(&options), 0);
    assert_none(before, NULL);
    before = snag_leaks_begin();
    int fd = opens_it("/dev/null");
    snag_leak_options few = quick();
    struct report report = end(before, &few);
    assert_int_equal(report.leaks, 1); /* found by the engine that runs already */
    forget(&report);
    close(fd);
    snag_stop();
}

static void test_what_is_looked_for(void **state)
{
    (void)state;
    struct hanging hanging;
    hanging_prepare(&hanging, "planted");
    snag_leak_options options = quick();
    options.what = SNAG_LEAK_FDS;
    snag_leaks *before = snag_leaks_begin();
    starts_it(&hanging);
    assert_none(before, &options);
    hanging_end(&hanging);
    options.what = SNAG_LEAK_THREADS;
    before = snag_leaks_begin();
    int fd = opens_it("/dev/null");
    assert_none(before, &options);
    close(fd);
}

/* One rule, against a thread and a file that were leaked: how many are left. */
static int left_by(const snag_leak_options *options)
{
    struct hanging hanging;
    hanging_prepare(&hanging, "planted");
    snag_leaks *before = snag_leaks_begin();
    starts_it(&hanging);
    int fd = opens_it("/etc/passwd");
    int leaks = snag_leaks_end(before, options, NULL);
    close(fd);
    hanging_end(&hanging);
    return leaks;
}

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *list; /* which */
        const char *text;
        int left;
    } rows[] = {
        { "top", "hangs_here", 1 }, /* the first that is not the C library's */
        { "top", "read", 1 },       /* or a call of the C library above it */
        { "top", "hangs*", 1 },
        { "top", "*", 1 },
        { "top", "start_thread", 2 }, /* not the top */
        { "top", "hangs_her", 2 },
        { "top", "", 2 },
        { "any", "start_thread", 1 },
        { "any", "*_thread", 1 },
        { "any", "main", 2 },
        { "created", "starts_it", 1 },
        { "created", "opens_it", 1 },
        { "created", "left_by", 0 },
        { "created", "hangs_here", 2 },
        { "threads", "planted", 1 },
        { "threads", "pl*ed", 1 },
        { "threads", "plant", 2 },
        { "targets", "/etc/passwd", 1 },
        { "targets", "/etc/*", 1 },
        { "targets", "*passwd", 1 },
        { "targets", "passwd", 2 },
        { "inventories", "*", 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snag_leak_options options = quick();
        const char *const list[] = { "no such thing", rows[i].text, NULL };
        const char *const *const *where[] = {
            &options.ignore_top,     &options.ignore_any,     &options.ignore_created_by,
            &options.ignore_threads, &options.ignore_targets, &options.ignore_inventories
        };
        static const char *const names[] = { "top",     "any",     "created",
                                             "threads", "targets", "inventories" };
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            if (strcmp(names[j], rows[i].list) == 0)
                *(const char *const **)(uintptr_t)where[j] = list;
        int left = left_by(&options);
        if (left != rows[i].left)
            fail_msg("rule %s '%s' leaves %d, not %d", rows[i].list, rows[i].text, left,
                     rows[i].left);
    }
}

/* ---- handles ---- */

static __attribute__((noinline)) void holds_it(snag_profile *profile, uintptr_t handle)
{
    assert_int_equal(snag_profile_add(profile, (void *)handle, 100, 0), 0);
    __asm__ volatile("" ::: "memory");
}

static void test_handles(void **state)
{
    (void)state;
    snag_profile *profile = snag_profile_new("leaks.test");
    assert_non_null(profile);
    for (uintptr_t handle = 1; handle <= 20; handle++)
        holds_it(profile, handle); /* of before: no leaks */
    snag_leaks *before = snag_leaks_begin();
    for (uintptr_t handle = 101; handle <= 107; handle++)
        holds_it(profile, handle);
    holds_it(profile, 999);
    snag_profile_remove(profile, (void *)999);
    snag_leak_options options = quick();
    struct report report = end(before, &options);
    assert_int_equal(report.leaks, 7);
    assert_says(&report, "snag: 7 leaks: 7 handles\n");
    assert_says(&report, "leaked 7 handles of leaks.test, 700 bytes: 0x6");
    assert_says(&report, "#0   holds_it at ");
    forget(&report);

    static const char *const inventory[] = { "leaks.*", NULL };
    static const char *const function[] = { "holds_it", NULL };
    const char *const *const *lists[] = { &options.ignore_inventories, &options.ignore_top,
                                          &options.ignore_any, &options.ignore_created_by };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        snag_leak_options ignoring = quick();
        size_t offset = (size_t)((const char *)lists[i] - (const char *)&options);
        *(const char *const **)(void *)((char *)&ignoring + offset) = i == 0 ? inventory : function;
        before = snag_leaks_begin();
        holds_it(profile, 200);
        assert_none(before, &ignoring);
        snag_profile_remove(profile, (void *)200);
    }
    options.what = SNAG_LEAK_FDS | SNAG_LEAK_THREADS;
    before = snag_leaks_begin();
    holds_it(profile, 200);
    assert_none(before, &options);
    assert_none(snag_leaks_begin(), NULL); /* it is of before now */
}

static void test_rules_from_the_environment(void **state)
{
    (void)state;
    snag_leak_options options = quick();
    setenv("SNAG_LEAK_IGNORE_TARGETS", "/nowhere;;/etc/passwd", 1);
    assert_int_equal(left_by(&options), 1);
    static const char *const threads[] = { "planted", NULL };
    options.ignore_threads = threads;
    assert_int_equal(left_by(&options), 0);
    unsetenv("SNAG_LEAK_IGNORE_TARGETS");
    setenv("SNAG_LEAK_IGNORE_ANY", "hangs_here", 1);
    options.ignore_threads = NULL;
    assert_int_equal(left_by(&options), 1);
    unsetenv("SNAG_LEAK_IGNORE_ANY");
}

static void test_bad_options_are_told(void **state)
{
    (void)state;
    snag_leak_options options = SNAG_LEAK_OPTIONS_INIT;
    options.what = 64;
    struct report report = end(snag_leaks_begin(), &options);
    assert_int_equal(report.leaks, -EINVAL);
    assert_says(&report, "snag_leak_options.what is 0x40");
    forget(&report);
    options = (snag_leak_options)SNAG_LEAK_OPTIONS_INIT;
    options.attempts = 1000000;
    report = end(snag_leaks_begin(), &options);
    assert_int_equal(report.leaks, -EINVAL);
    assert_says(&report, "attempts is 1000000: 1 to 100000");
    forget(&report);
    options = (snag_leak_options)SNAG_LEAK_OPTIONS_INIT;
    options.size = 0;
    report = end(snag_leaks_begin(), &options);
    assert_int_equal(report.leaks, -EINVAL);
    assert_says(&report, "SNAG_LEAK_OPTIONS_INIT");
    forget(&report);
    options.size = sizeof options.size + sizeof options.what; /* of an older version */
    options.what = SNAG_LEAK_THREADS;
    options.attempts = 1000000; /* which it does not have */
    assert_none(snag_leaks_begin(), &options);
}

/* The list of what is open needs a descriptor, and there is none left: the engine has its own. */
static void test_descriptors_leaked_to_the_last(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit low = { 64, limit.rlim_max };
    if (limit.rlim_cur > 64)
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    snag_options listener = SNAG_OPTIONS_INIT;
    listener.listen = "127.0.0.1:0";
    assert_int_equal(snag_start(&listener), 0);
    snag_leaks *before = snag_leaks_begin();
    int fds[64];
    int count = 0;
    while (count < 64 && (fds[count] = opens_it("/dev/null")) >= 0)
        count++;
    assert_int_equal(errno, EMFILE);
    errno = 0;
    assert_null(snag_leaks_begin());
    assert_int_equal(errno, EMFILE);
    snag_leak_options options = quick();
    options.attempts = 2;
    int leaks = snag_leaks_end(before, &options, NULL);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    assert_int_equal(leaks, count);
    snag_stop();
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* A child's exit status, which does ACT after the memory of a program's beginning. */
static int status_of(void (*act)(void), int result, const snag_leak_options *options,
                     const char *said)
{
    char path[] = "/tmp/snag-leaks-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(fd, STDERR_FILENO);
        close(fd);
        snag_leaks_remember();
        if (act)
            act();
        _exit(snag_leaks_verify_main_with(result, options));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    char text[8192] = "";
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    unlink(path);
    assert_true(length >= 0 && WIFEXITED(status));
    if (said && !strstr(text, said))
        fail_msg("'%s' is not in:\n%s", said, text);
    if (!said && length > 0)
        fail_msg("not silent:\n%s", text);
    return WEXITSTATUS(status);
}

static void leak_a_file(void)
{
    opens_it("/etc/passwd");
}

static void leak_in_a_child(void)
{
    opens_it("/etc/passwd"); /* of the parent, so no leak of the child's */
    if (fork() != 0)
        for (int status;;) {
            wait(&status);
            _exit(WEXITSTATUS(status));
        }
}

static void test_verify_main(void **state)
{
    (void)state;
    snag_leak_options options = quick();
    assert_int_equal(status_of(NULL, 0, &options, NULL), 0);
    assert_int_equal(status_of(NULL, 3, &options, NULL), 3);
    assert_int_equal(status_of(leak_a_file, 0, &options, "snag: 1 leak: 1 descriptor\n"), 1);
    /* failed tests leak: their status is what counts */
    assert_int_equal(status_of(leak_a_file, 3, &options, NULL), 3);
    options.check_failed = 1;
    assert_int_equal(status_of(leak_a_file, 3, &options, "snag: 1 leak"), 3);
    options.exit_status = 42;
    assert_int_equal(status_of(leak_a_file, 0, &options, "snag: 1 leak"), 42);
    assert_int_equal(status_of(leak_in_a_child, 0, &options, NULL), 0);
    options.what = 64;
    assert_int_equal(status_of(NULL, 0, &options, "could not be looked for"), 42);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    alarm(600);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_no_leak),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_threads_alike_stand_together),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_number_that_changed_hands),
        cmocka_unit_test(test_what_ends_by_itself_is_waited_for),
        cmocka_unit_test(test_the_caller_is_no_leak),
        cmocka_unit_test(test_a_new_thread_may_ask),
        cmocka_unit_test(test_own_listener_is_no_leak),
        cmocka_unit_test(test_what_is_looked_for),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_handles),
        cmocka_unit_test(test_rules_from_the_environment),
        cmocka_unit_test(test_bad_options_are_told),
        cmocka_unit_test(test_descriptors_leaked_to_the_last),
        cmocka_unit_test(test_verify_main),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
