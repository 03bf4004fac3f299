/* test_idle.c proves that a listener nobody asks costs nothing: it gives memory
 * back once and is then never woken; and that its descriptors are out of the
 * service's reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "raw_http.h"
#include "workers.h"

#include <snag/snag.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REST_SECONDS 10 /* after which it gives memory back */

static int start(void **state)
{
    (void)state;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    return snag_start(&options);
}

static int stop(void **state)
{
    (void)state;
    snag_stop();
    return 0;
}

static void answers(const char *path)
{
    struct http_reply reply;
    assert_int_equal(raw_ask(snag_address(), &reply,
                             "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                             path),
                     0);
    assert_int_equal(reply.status, 200);
    http_reply_free(&reply);
}

/* The thread named "snag"; 0 when there is none. */
static pid_t find_listener(void)
{
    pid_t found = 0;
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    while ((task = readdir(tasks))) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (read(fd, name, sizeof name - 1) > 0 && strcmp(name, "snag\n") == 0)
            found = (pid_t)atoi(task->d_name);
        close(fd);
    }
    closedir(tasks);
    return found;
}

static long number_in_status(pid_t tid, const char *key)
{
    char path[64], line[256];
    long number = -1;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            number = strtol(line + strlen(key) + 1, NULL, 10);
    fclose(file);
    return number;
}

static long wake_ups(pid_t tid)
{
    return number_in_status(tid, "voluntary_ctxt_switches") +
           number_in_status(tid, "nonvoluntary_ctxt_switches");
}

static int count_descriptors(pid_t tid)
{
    char path[64];
    int count = -2;
    snprintf(path, sizeof path, "/proc/self/task/%d/fd", (int)tid);
    DIR *list = opendir(path);
    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

static void test_never_woken_when_nobody_asks(void **state)
{
    (void)state;
    static struct worker workers[20];
    for (int i = 0; i < 20; i++)
        worker_start(&workers[i], hang, NULL, 0);
    pid_t tid = find_listener();
    int fresh = count_descriptors(tid);
    answers("/debug/threads");
    answers("/debug/pprof/symbol?0x10");
    assert_true(count_descriptors(tid) >= fresh);
    sleep_ms((REST_SECONDS + 1) * 1000);
    long before = wake_ups(tid);
    assert_int_equal(count_descriptors(tid), fresh); /* all that was kept has been given back */
    sleep_ms(5000);
    assert_int_equal(wake_ups(tid), before);
    answers("/debug/threads"); /* and it does wake */
    assert_true(wake_ups(tid) > before);
    for (int i = 0; i < 20; i++)
        worker_stop(&workers[i]);
}

static void test_the_thread_is_out_of_the_way(void **state)
{
    (void)state;
    char path[64], line[256];
    pid_t tid = find_listener();
    assert_true(tid > 0);
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    uint64_t blocked = 0;
    answers("/debug/threads"); /* also after libraries had their hands on the mask */
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "SigBlk:", 7) == 0)
            blocked = strtoull(line + 7, NULL, 16);
    fclose(file);
    /* All but KILL, STOP, and 32 and 33, which glibc keeps open for itself. */
    uint64_t open = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 3ull << 31;
    assert_int_equal(blocked | open, UINT64_MAX);
    /* What some library writes to "stderr" does not end up in a client's reply. */
    for (int fd = 0; fd <= 2; fd++) {
        char target[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%d/fd/%d", (int)tid, fd);
        assert_true(readlink(path, target, sizeof target - 1) > 0);
        assert_string_equal(target, "/dev/null");
    }
}

static int count_sockets_of_process(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], target[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) > 0)
            count += strncmp(target, "socket:", 7) == 0 || strstr(target, "eventpoll") != NULL;
    }
    return count;
}

static bool all_closed(void)
{
    char address[64];
    int before = count_sockets_of_process();
    if (start(NULL) != 0 || count_sockets_of_process() != before)
        return false;
    snprintf(address, sizeof address, "%s", snag_address());
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    answers("/debug/threads");
    close(0); /* and then the standard ones: numbers that must not mean anything in our table */
    close(1);
    close(2);
    answers("/debug/threads");
    return strcmp(address, snag_address()) == 0;
}

static bool table_full(void)
{
    if (start(NULL) != 0)
        return false;
    int fd = raw_connect(snag_address(), 10);
    const struct rlimit limit = { 40, 40 };
    setrlimit(RLIMIT_NOFILE, &limit);
    while (dup(0) >= 0)
        ;
    struct http_reply reply = { 0 };
    for (int i = 0; i < 20; i++) {
        http_reply_free(&reply);
        if (!raw_send_text(fd, "GET /debug/threads HTTP/1.1\r\nHost: localhost\r\n\r\n") ||
            raw_reply(fd, false, &reply) != 0 || reply.status != 200)
            return false;
    }
    int out = 1;
    return strstr(reply.body, "table_full") != NULL && snag_write("threads", out, 3) == -EINVAL;
}

/* Has the kernel refuse close_range to this process. */
static bool refuse_close_range(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* The older way to a table of its own copies the service's first: no copy may stay. */
static bool table_copied(void)
{
    int ends[2];
    char byte;
    if (!refuse_close_range() || pipe(ends) != 0)
        return false;
    int before = count_sockets_of_process();
    if (start(NULL) != 0 || count_sockets_of_process() != before)
        return false;
    answers("/debug/threads");
    close(ends[1]);
    struct pollfd closed = { .fd = ends[0] };
    return poll(&closed, 1, 5000) == 1 && read(ends[0], &byte, 1) == 0;
}

static bool limit_of_zero(void)
{
    if (start(NULL) != 0)
        return false;
    int fd = raw_connect(snag_address(), 10);
    if (!raw_send_text(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        return false;
    struct http_reply reply;
    if (raw_reply(fd, false, &reply) != 0)
        return false;
    const struct rlimit limit = { 0, 0 };
    setrlimit(RLIMIT_NOFILE, &limit);
    /* The connection goes on; what a dump can open is another matter. */
    return raw_send_text(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") &&
           raw_reply(fd, false, &reply) == 0 && reply.status == 200;
}

static bool in_child(bool (*body)(void))
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        _exit(body() ? 0 : 1);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_descriptors_are_a_world_of_their_own(void **state)
{
    (void)state;
    snag_stop();
    assert_true(in_child(all_closed));
    assert_true(in_child(table_full));
    assert_true(in_child(limit_of_zero));
    assert_true(in_child(table_copied));
    assert_int_equal(start(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_woken_when_nobody_asks),
        cmocka_unit_test(test_the_thread_is_out_of_the_way),
        cmocka_unit_test(test_descriptors_are_a_world_of_their_own),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
