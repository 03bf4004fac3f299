/* test_no_eintr.c proves that a thousand dumps of blocked threads interrupt none of
 * them: no call returns EINTR, none returns early, and the kernel counts no
 * switch of any of those threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "http_get.h"

#include <snag/snag.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define THREADS_A_KIND 48
#define DUMPS_A_WAY 500
#define LONG_TIME 3600

static int empty_pipe[2];
static int pair[2];
static int queue, semaphores;
static _Atomic int came_back, interrupted;
static _Atomic bool expected; /* the last test interrupts them itself */

/* A blocking call came back: it must not. */
static void note(const char *call, long result)
{
    if (result < 0 && errno == EINTR)
        interrupted++;
    came_back++;
    if (!expected)
        fprintf(stderr, "%s returned %ld, errno %d\n", call, result, errno);
}

static void in_epoll(void)
{
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, empty_pipe[0], &event);
    note("epoll_wait", epoll_wait(epoll, &event, 1, LONG_TIME * 1000));
}

static void in_poll(void)
{
    struct pollfd fd = { empty_pipe[0], POLLIN, 0 };
    note("poll", poll(&fd, 1, LONG_TIME * 1000));
}

static void in_select(void)
{
    fd_set set;
    struct timeval time = { LONG_TIME, 0 };
    FD_ZERO(&set);
    FD_SET(empty_pipe[0], &set);
    note("select", select(empty_pipe[0] + 1, &set, NULL, NULL, &time));
}

/* With a timeout set, recv is not restarted after a signal, whatever SA_RESTART says. */
static void in_recv(void)
{
    char byte;
    note("recv", recv(pair[0], &byte, 1, 0));
}

static void in_msgrcv(void)
{
    struct {
        long type;
        char text[8];
    } message;
    note("msgrcv", msgrcv(queue, &message, sizeof message.text, 0, 0));
}

static void in_semop(void)
{
    struct sembuf down = { 0, -1, 0 };
    note("semop", semop(semaphores, &down, 1));
}

static void in_nanosleep(void)
{
    struct timespec time = { LONG_TIME, 0 };
    note("nanosleep", nanosleep(&time, NULL));
}

static void (*const kinds[])(void) = { in_epoll,  in_poll,  in_select,   in_recv,
                                       in_msgrcv, in_semop, in_nanosleep };
#define KINDS (sizeof kinds / sizeof *kinds)
#define THREADS (KINDS * THREADS_A_KIND)

struct blocked_thread {
    void (*block)(void);
    _Atomic pid_t tid;
    unsigned long voluntary, forced;
};

static struct blocked_thread threads[THREADS];

static void *thread_main(void *argument)
{
    struct blocked_thread *thread = argument;
    thread->tid = (pid_t)syscall(SYS_gettid);
    thread->block();
    return NULL;
}

static char *status_of(pid_t tid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? 0 : read(fd, text, size - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    return text;
}

static bool read_switches(struct blocked_thread *thread, unsigned long *voluntary,
                          unsigned long *forced)
{
    char text[4096];
    const char *at =
        strstr(status_of(thread->tid, text, sizeof text), "\nvoluntary_ctxt_switches:");
    return at && strstr(text, "State:\tS") &&
           sscanf(at, "\nvoluntary_ctxt_switches: %lu\nnonvoluntary_ctxt_switches: %lu", voluntary,
                  forced) == 2;
}

/* Until every thread sleeps and has been counted the same twice. */
static void wait_until_all_sleep(void)
{
    for (int tries = 0; tries < 400; tries++) {
        size_t still = 0;
        for (size_t i = 0; i < THREADS; i++) {
            unsigned long voluntary = 0, forced = 0;
            if (threads[i].tid && read_switches(&threads[i], &voluntary, &forced))
                still += voluntary == threads[i].voluntary && forced == threads[i].forced;
            threads[i].voluntary = voluntary;
            threads[i].forced = forced;
        }
        if (still == THREADS)
            return;
        usleep(50000);
    }
    fail_msg("the threads never slept");
}

static int start_threads(void **state)
{
    (void)state;
    struct timeval time = { LONG_TIME, 0 };
    if (pipe(empty_pipe) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return -1;
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    queue = msgget(IPC_PRIVATE, 0600);
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        threads[i].block = kinds[i % KINDS];
        if (pthread_create(&thread, &attributes, thread_main, &threads[i]))
            return -1;
    }
    wait_until_all_sleep();
    return 0;
}

static void nobody_was_disturbed(void)
{
    for (size_t i = 0; i < THREADS; i++) {
        unsigned long voluntary, forced;
        assert_true(read_switches(&threads[i], &voluntary, &forced));
        if (voluntary != threads[i].voluntary || forced != threads[i].forced)
            fail_msg("thread %zu of kind %zu ran: %lu+%lu switches, before %lu+%lu", i, i % KINDS,
                     voluntary, forced, threads[i].voluntary, threads[i].forced);
    }
    assert_int_equal(came_back, 0);
    assert_int_equal(interrupted, 0);
}

static void test_dumps_by_call(void **state)
{
    (void)state;
    int null = open("/dev/null", O_WRONLY);
    for (int i = 0; i < DUMPS_A_WAY; i++)
        assert_int_equal(snag_write("threads", null, 0), 0);
    close(null);
    nobody_was_disturbed();
}

static void test_dumps_by_http(void **state)
{
    (void)state;
    for (int i = 0; i < DUMPS_A_WAY; i++) {
        struct http_reply reply;
        assert_int_equal(http_get(snag_address(), "/debug/pprof/threads", 30, &reply), 0);
        assert_int_equal(reply.status, 200);
        assert_true(reply.length > 200);
        http_reply_free(&reply);
    }
    nobody_was_disturbed();
}

/* The proof that the two above can fail: a signal to each is seen at once. */
static void ignore(int number)
{
    (void)number;
}

static void test_a_signal_would_be_seen(void **state)
{
    (void)state;
    struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };
    sigaction(SIGUSR1, &action, NULL);
    expected = true;
    for (size_t i = 0; i < THREADS; i++)
        syscall(SYS_tgkill, getpid(), threads[i].tid, SIGUSR1);
    for (int tries = 0; tries < 100 && came_back < (int)THREADS - THREADS_A_KIND; tries++)
        usleep(50000);
    assert_true(interrupted >= (int)THREADS / 2);
}

static int start_snag(void **state)
{
    (void)state;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    return snag_start(&options) || start_threads(state) ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    msgctl(queue, IPC_RMID, NULL);
    semctl(semaphores, 0, IPC_RMID);
    snag_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dumps_by_call),
        cmocka_unit_test(test_dumps_by_http),
        cmocka_unit_test(test_a_signal_would_be_seen),
    };
    return cmocka_run_group_tests(tests, start_snag, stop);
}
