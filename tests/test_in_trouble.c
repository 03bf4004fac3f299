/* test_in_trouble.c proves that a dump comes back whole and in time from a
 * service in any of the troubles of programs/trouble.c: no descriptor left,
 * everything deadlocked, the locks of malloc, of the loader and of stdio held, signals
 * blocked, privileges dropped, system calls refused. Whole means: every thread of
 * the process is in it, and those that said where they are, are there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "dump_text.h"
#include "http_get.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_EXPECTED 64
#define SECONDS 20 /* for one dump, in whatever trouble */

enum what_may_miss {
    NOTHING = 0,
    NAMES = 1,  /* addresses are right, names may be unknown */
    STACKS = 2, /* a thread may be partial, if it says why */
    LEADER = 4, /* the first thread has ended */
    DUMP = 8    /* the answer may be an error, if it is an answer */
};

struct trouble {
    const char *name;
    int may_miss;
    const char *mode; /* SNAG_SIGNAL, NULL for the default */
    bool only_root;
};

struct expectation {
    pid_t tid;
    char function[64];
    uint64_t address;
};

struct service {
    pid_t pid;
    int out;
    char address[64];
    char skipped[256];
    struct expectation expected[MOST_EXPECTED];
    size_t count;
};

static pid_t spawn_trouble(const struct trouble *trouble, int out)
{
    const char *build = getenv("SNAG_BUILD");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/programs/trouble", build ? build : ".");
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    dup2(out, 1);
    if (trouble->mode)
        setenv("SNAG_SIGNAL", trouble->mode, 1);
    execl(path, path, trouble->name, (char *)NULL);
    _exit(127);
}

static bool take_line(struct service *service, const char *line)
{
    struct expectation *next = &service->expected[service->count];
    if (strcmp(line, "ready") == 0)
        return true;
    if (strncmp(line, "skip ", 5) == 0)
        snprintf(service->skipped, sizeof service->skipped, "%s", line + 5);
    else if (sscanf(line, "expect %d %63s 0x%" SCNx64, &next->tid, next->function,
                    &next->address) == 3)
        service->count++;
    else if (sscanf(line, "address %63s", service->address) != 1)
        fail_msg("the service says \"%s\"", line);
    assert_true(service->count < MOST_EXPECTED);
    return false;
}

/* Reads until "ready", or until it ends (skipped, or something is wrong). */
static bool read_expectations(struct service *service)
{
    char text[16384];
    size_t length = 0;
    for (;;) {
        struct pollfd fd = { service->out, POLLIN, 0 };
        if (poll(&fd, 1, 40000) != 1)
            fail_msg("the service did not get into trouble in time");
        ssize_t got = read(service->out, text + length, sizeof text - 1 - length);
        if (got <= 0)
            return false;
        length += (size_t)got;
        text[length] = 0;
        char *line = text;
        for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = 0;
            if (take_line(service, line))
                return true;
        }
        length = (size_t)(text + length - line);
        memmove(text, line, length + 1);
    }
}

static size_t count_threads(pid_t pid)
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* The frame that is in the function at ADDRESS: none of ours is longer than 1 KiB. */
static bool has_frame_in(const struct dump_thread *thread, uint64_t address)
{
    for (size_t i = 0; i < thread->count; i++)
        if (thread->frames[i] >= address && thread->frames[i] < address + 1024)
            return true;
    return false;
}

static void print_thread(const struct dump_thread *thread)
{
    fprintf(stderr, "thread %d [%s], captured by %s\n", (int)thread->tid, thread->doing,
            thread->capture);
    for (size_t i = 0; i < thread->count; i++)
        fprintf(stderr, "    0x%016" PRIx64 " %s\n", thread->frames[i], thread->functions[i]);
}

static void check_expectation(const struct dump *dump, const struct expectation *expected,
                              int may_miss)
{
    const struct dump_thread *thread = dump_find(dump, expected->tid);
    if (!thread)
        fail_msg("thread %d, in %s, is not in the dump", (int)expected->tid, expected->function);
    if (dump_is_partial(thread) && (may_miss & STACKS) &&
        strlen(thread->capture) > strlen("partial: ")) {
        if (thread->count == 0)
            return;
    } else if (dump_is_partial(thread)) {
        print_thread(thread);
        fail_msg("thread %d, in %s, is %s", (int)expected->tid, expected->function,
                 thread->capture);
    }
    bool partial = dump_is_partial(thread);
    if (!partial && !has_frame_in(thread, expected->address)) {
        print_thread(thread);
        fail_msg("thread %d has no frame in %s", (int)expected->tid, expected->function);
    }
    if (!partial && !(may_miss & NAMES) && !dump_has_function(thread, expected->function)) {
        print_thread(thread);
        fail_msg("thread %d does not name %s", (int)expected->tid, expected->function);
    }
}

static void check_dump(const struct service *service, const struct dump *dump, int may_miss)
{
    size_t others = (may_miss & LEADER) ? 2 : 1; /* snag's own thread is left out */
    size_t threads = count_threads(service->pid);
    if (dump->count + others < threads || dump->count + 1 > threads)
        fail_msg("%zu threads in the dump, %zu in the process", dump->count, threads);
    for (size_t i = 0; i < service->count; i++)
        check_expectation(dump, &service->expected[i], may_miss);
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void check_once(const struct service *service, const char *path, int may_miss)
{
    struct dump dump;
    int64_t before = now_ms();
    int status = dump_by_http(service->address, path, &dump);
    int64_t took = now_ms() - before;
    if (took > SECONDS * 1000)
        fail_msg("%s took %d ms", path, (int)took);
    if (status == 0)
        check_dump(service, &dump, may_miss);
    else if (!(may_miss & DUMP))
        fail_msg("%s: %s", path, strerror(-status));
    dump_free(&dump);
}

/* The profile itself: gzip, of some length. */
static void check_profile(const struct service *service, int may_miss)
{
    struct http_reply reply;
    int status = http_get(service->address, "/debug/pprof/threads", SECONDS, &reply);
    if (status == 0 && reply.status == 200) {
        assert_true(reply.length > 200);
        assert_memory_equal(reply.body, "\x1f\x8b", 2);
    } else if (!(may_miss & DUMP) || status) {
        fail_msg("the profile: %s, status %d", strerror(-status), reply.status);
    }
    http_reply_free(&reply);
}

/* Nor do inventories need anything of the service. */
static void check_handles(const struct service *service, int may_miss)
{
    struct http_reply reply;
    int status = http_get(service->address, "/debug/pprof/trouble.things?debug=2", SECONDS, &reply);
    if (status == 0 && reply.status == 200) {
        assert_non_null(strstr(reply.body, "\ntrouble.things: 3 handles, 300 bytes, oldest "));
        if (!(may_miss & NAMES))
            assert_non_null(strstr(reply.body, "keep_three"));
    } else if (!(may_miss & DUMP) || status) {
        fail_msg("the handles: %s, status %d", strerror(-status), reply.status);
    }
    http_reply_free(&reply);
}

static bool still_lives(const struct service *service)
{
    return waitpid(service->pid, NULL, WNOHANG) == 0;
}

static void end_service(struct service *service)
{
    kill(service->pid, SIGKILL);
    waitpid(service->pid, NULL, 0);
    close(service->out);
}

static struct service running; /* for the teardown after a failure */

static void test_trouble(void **state)
{
    const struct trouble *trouble = *state;
    int ends[2];
    if (trouble->only_root && geteuid() != 0)
        skip();
    memset(&running, 0, sizeof running);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    running.out = ends[0];
    running.pid = spawn_trouble(trouble, ends[1]);
    close(ends[1]);
    bool ready = read_expectations(&running);
    if (!ready && running.skipped[0]) {
        print_message("not here: %s\n", running.skipped);
        skip();
    }
    assert_true(ready);
    assert_true(running.address[0]);
    assert_true(running.count >= 12);
    usleep(100000); /* whoever said where he will block, blocks */
    for (int i = 0; i < 3; i++)
        check_once(&running, "/debug/pprof/threads?debug=2", trouble->may_miss);
    check_once(&running, "/debug/threads?format=json", trouble->may_miss);
    check_profile(&running, trouble->may_miss);
    check_handles(&running, trouble->may_miss);
    check_once(&running, "/debug/pprof/threads?debug=2", trouble->may_miss);
    assert_true(still_lives(&running));
}

static int teardown(void **state)
{
    (void)state;
    if (running.pid > 0)
        end_service(&running);
    running.pid = 0;
    return 0;
}

static struct trouble troubles[] = {
    { "none", NOTHING, NULL, false },
    { "descriptors-full", NOTHING, NULL, false },
    { "descriptors-few", NOTHING, NULL, false },
    { "descriptors-none", NOTHING, NULL, false },
    { "descriptors-closed", NOTHING, NULL, false },
    { "all-deadlocked", NOTHING, NULL, false },
    { "malloc-held", NOTHING, NULL, false },
    { "loader-held", NOTHING, NULL, false },
    { "module-list-held", NOTHING, NULL, false },
    { "stdio-held", NOTHING, NULL, false },
    { "signals-blocked", NOTHING, NULL, false },
    /* In vfork the return address is in a register, which the table says and procfs does not. */
    { "uninterruptible", STACKS, NULL, false },
    { "main-gone", LEADER, NULL, false },
    { "chroot", NAMES, NULL, true },
    { "no-readv", NOTHING, NULL, false },
    { "no-readv-later", NOTHING, NULL, false },
    { "no-own-table", NOTHING, NULL, false },
    { "nothing-new", NOTHING, NULL, false },
    { "nobody", STACKS | NAMES, NULL, true },
    { "nobody", STACKS | NAMES, "always", true },
    { "nobody", STACKS | NAMES, "never", true },
    { "nobody-dumpable", NAMES, NULL, true },
    { "memory-full", STACKS | NAMES | DUMP, NULL, false },
};
#define TROUBLES (sizeof troubles / sizeof *troubles)

int main(void)
{
    struct CMUnitTest tests[TROUBLES];
    char names[TROUBLES][64];
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < TROUBLES; i++) {
        snprintf(names[i], sizeof names[i], "%s%s%s", troubles[i].name,
                 troubles[i].mode ? ", " : "", troubles[i].mode ? troubles[i].mode : "");
        tests[i] = (struct CMUnitTest){ names[i], test_trouble, NULL, teardown, &troubles[i] };
    }
    return cmocka_run_group_tests_name("in trouble", tests, NULL, NULL);
}
