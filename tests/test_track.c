/* test_track.c proves that tracking knows who opened what: every call that it
 * stands before is made by eight threads at a time, and what the engine's
 * reader says of each descriptor (call, thread, function, time) is held against what
 * the thread knows. Closed again, by every way of closing, it is known no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "track_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define NOINLINE __attribute__((noinline))

/* What a maker has made: up to two descriptors, and what they are closed with. */
struct made {
    int fds[2];
    int others[4]; /* that it needed on the way; not looked at */
    FILE *stream;
    FILE *process;
    DIR *directory;
    mqd_t queue;
};

/* What _FORTIFY_SOURCE would call. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);

#define MAKER(name, expression)                                                                    \
    static NOINLINE void by_##name(struct made *made)                                              \
    {                                                                                              \
        made->fds[0] = expression;                                                                 \
        __asm__ volatile("" ::: "memory");                                                         \
    }

MAKER(open, open("/dev/null", O_RDONLY))
MAKER(open64, open64("/dev/null", O_RDONLY))
MAKER(openat, openat(AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600))
MAKER(openat64, openat64(AT_FDCWD, "/dev/null", O_RDONLY))
MAKER(__open_2, __open_2("/dev/null", O_RDONLY))
MAKER(__open64_2, __open64_2("/dev/null", O_RDONLY))
MAKER(__openat_2, __openat_2(AT_FDCWD, "/dev/null", O_RDONLY))
MAKER(__openat64_2, __openat64_2(AT_FDCWD, "/dev/null", O_RDONLY))
MAKER(creat, creat("/dev/null", 0600))
MAKER(creat64, creat64("/dev/null", 0600))
MAKER(posix_openpt, posix_openpt(O_RDWR | O_NOCTTY))
MAKER(getpt, getpt())
MAKER(socket, socket(AF_INET, SOCK_STREAM, 0))
MAKER(dup, dup(2))
MAKER(fcntl, fcntl(2, F_DUPFD, 0))
MAKER(fcntl64, fcntl64(2, F_DUPFD_CLOEXEC, 0))
MAKER(eventfd, eventfd(0, 0))
MAKER(timerfd_create, timerfd_create(CLOCK_MONOTONIC, 0))
MAKER(inotify_init, inotify_init())
MAKER(inotify_init1, inotify_init1(0))
MAKER(fanotify_init, fanotify_init(FAN_CLASS_NOTIF, O_RDONLY))
MAKER(epoll_create, epoll_create(1))
MAKER(epoll_create1, epoll_create1(0))
MAKER(memfd_create, memfd_create("tracked", 0))
MAKER(pidfd_open, pidfd_open(getpid(), 0))

#define TEMPORARY_MAKER(name, arguments)                                                           \
    static NOINLINE void by_##name(struct made *made)                                              \
    {                                                                                              \
        char path[] = "/tmp/snag-track-XXXXXX.end";                                                \
        char *end = strstr(path, ".end");                                                          \
        if (!strstr(#name, "temps"))                                                               \
            *end = 0;                                                                              \
        made->fds[0] = name arguments;                                                             \
        unlink(path);                                                                              \
    }

TEMPORARY_MAKER(mkstemp, (path))
TEMPORARY_MAKER(mkstemp64, (path))
TEMPORARY_MAKER(mkostemp, (path, O_CLOEXEC))
TEMPORARY_MAKER(mkostemp64, (path, O_CLOEXEC))
TEMPORARY_MAKER(mkstemps, (path, 4))
TEMPORARY_MAKER(mkstemps64, (path, 4))
TEMPORARY_MAKER(mkostemps, (path, 4, O_CLOEXEC))
TEMPORARY_MAKER(mkostemps64, (path, 4, O_CLOEXEC))

#define STREAM_MAKER(name, expression)                                                             \
    static NOINLINE void by_##name(struct made *made)                                              \
    {                                                                                              \
        made->stream = expression;                                                                 \
        made->fds[0] = made->stream ? fileno(made->stream) : -1;                                   \
    }

STREAM_MAKER(fopen, fopen("/dev/null", "r"))
STREAM_MAKER(fopen64, fopen64("/dev/null", "r"))
STREAM_MAKER(freopen, freopen("/dev/zero", "r", fopen("/dev/null", "r")))
STREAM_MAKER(freopen64, freopen64("/dev/zero", "r", fopen("/dev/null", "r")))
STREAM_MAKER(tmpfile, tmpfile())
STREAM_MAKER(tmpfile64, tmpfile64())

static NOINLINE void by_popen(struct made *made)
{
    made->process = popen("exit 0", "r");
    made->fds[0] = made->process ? fileno(made->process) : -1;
}

static NOINLINE void by_opendir(struct made *made)
{
    made->directory = opendir("/tmp");
    made->fds[0] = made->directory ? dirfd(made->directory) : -1;
}

static NOINLINE void by_signalfd(struct made *made)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    made->fds[0] = signalfd(-1, &set, 0);
    sigaddset(&set, SIGUSR2);
    assert_int_equal(signalfd(made->fds[0], &set, 0), made->fds[0]);
}

static void unique_name(char *name, size_t size, const char *what)
{
    snprintf(name, size, "/snag-%s-%d-%d", what, (int)getpid(), (int)gettid());
}

static NOINLINE void by_shm_open(struct made *made)
{
    char name[64];
    unique_name(name, sizeof name, "shm");
    made->fds[0] = shm_open(name, O_RDWR | O_CREAT, 0600);
    shm_unlink(name);
}

static NOINLINE void by_mq_open(struct made *made)
{
    char name[64];
    struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 64 };
    unique_name(name, sizeof name, "mq");
    made->queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
    made->fds[0] = made->queue;
    mq_unlink(name);
}

static NOINLINE void by_openpty(struct made *made)
{
    if (openpty(&made->fds[0], &made->fds[1], NULL, NULL, NULL))
        made->fds[0] = made->fds[1] = -1;
}

static NOINLINE void by_pipe(struct made *made)
{
    assert_int_equal(pipe(made->fds), 0);
}

static NOINLINE void by_pipe2(struct made *made)
{
    assert_int_equal(pipe2(made->fds, O_CLOEXEC), 0);
}

static NOINLINE void by_socketpair(struct made *made)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, made->fds), 0);
}

/* Gives a listening socket in others[0] with a connection waiting, from others[1]. */
static void wait_for_client(struct made *made)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    socklen_t length = sizeof(sa_family_t);
    made->others[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    made->others[1] = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(made->others[0], (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(made->others[0], 1), 0);
    length = sizeof address;
    getsockname(made->others[0], (struct sockaddr *)&address, &length);
    assert_int_equal(connect(made->others[1], (struct sockaddr *)&address, length), 0);
}

static NOINLINE void by_accept(struct made *made)
{
    wait_for_client(made);
    made->fds[0] = accept(made->others[0], NULL, NULL);
}

static NOINLINE void by_accept4(struct made *made)
{
    wait_for_client(made);
    made->fds[0] = accept4(made->others[0], NULL, NULL, SOCK_CLOEXEC);
}

/* Two descriptors on their way to others[1]. */
static void send_descriptors(struct made *made)
{
    char byte = 1;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = { .bytes = { 0 } };
    struct iovec text = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    const int sent[2] = { 1, 2 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, made->others), 0);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof sent);
    memcpy(CMSG_DATA(&control.header), sent, sizeof sent);
    assert_int_equal(sendmsg(made->others[0], &message, 0), 1);
}

static NOINLINE void receive(struct made *made, bool many)
{
    char byte;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec text = { &byte, 1 };
    struct mmsghdr messages = { .msg_hdr = { .msg_iov = &text,
                                             .msg_iovlen = 1,
                                             .msg_control = &control,
                                             .msg_controllen = sizeof control } };
    send_descriptors(made);
    if (many)
        assert_int_equal(recvmmsg(made->others[1], &messages, 1, 0, NULL), 1);
    else
        assert_int_equal(recvmsg(made->others[1], &messages.msg_hdr, 0), 1);
    memcpy(made->fds, CMSG_DATA(&control.header), sizeof made->fds);
    __asm__ volatile("" ::: "memory");
}

static NOINLINE void by_recvmsg(struct made *made)
{
    receive(made, false);
    __asm__ volatile("" ::: "memory");
}

static NOINLINE void by_recvmmsg(struct made *made)
{
    receive(made, true);
    __asm__ volatile("" ::: "memory");
}

/* Over a descriptor that is open. */
static NOINLINE void by_dup2(struct made *made)
{
    made->fds[0] = dup2(2, open("/dev/null", O_RDONLY));
    __asm__ volatile("" ::: "memory");
}

static NOINLINE void by_dup3(struct made *made)
{
    made->fds[0] = dup3(2, open("/dev/null", O_RDONLY), O_CLOEXEC);
    __asm__ volatile("" ::: "memory");
}

static NOINLINE void by_pidfd_getfd(struct made *made)
{
    made->others[0] = pidfd_open(getpid(), 0);
    made->fds[0] = pidfd_getfd(made->others[0], 2, 0);
    __asm__ volatile("" ::: "memory");
}

static NOINLINE void by_open_by_handle_at(struct made *made)
{
    union {
        struct file_handle handle;
        char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } file = { .handle = { .handle_bytes = MAX_HANDLE_SZ } };
    int mount;
    made->others[0] = open("/tmp", O_RDONLY);
    if (name_to_handle_at(AT_FDCWD, "/tmp", &file.handle, &mount, 0) == 0)
        made->fds[0] = open_by_handle_at(made->others[0], &file.handle, O_RDONLY);
    __asm__ volatile("" ::: "memory");
}

/* MAY_FAIL: a right is needed that not everybody has. */
#define ROW(name, may_fail)                                                                        \
    {                                                                                              \
#name, "by_" #name, by_##name, may_fail                                                    \
    }

static const struct row {
    const char *call;
    const char *function;
    void (*make)(struct made *made);
    bool may_fail;
} rows[] = {
    ROW(open, false),         ROW(open64, false),
    ROW(openat, false),       ROW(openat64, false),
    ROW(__open_2, false),     ROW(__open64_2, false),
    ROW(__openat_2, false),   ROW(__openat64_2, false),
    ROW(creat, false),        ROW(creat64, false),
    ROW(mkstemp, false),      ROW(mkstemp64, false),
    ROW(mkostemp, false),     ROW(mkostemp64, false),
    ROW(mkstemps, false),     ROW(mkstemps64, false),
    ROW(mkostemps, false),    ROW(mkostemps64, false),
    ROW(shm_open, false),     ROW(mq_open, true),
    ROW(posix_openpt, true),  ROW(getpt, true),
    ROW(openpty, true),       ROW(fopen, false),
    ROW(fopen64, false),      ROW(freopen, false),
    ROW(freopen64, false),    ROW(tmpfile, false),
    ROW(tmpfile64, false),    ROW(opendir, false),
    ROW(popen, false),        ROW(pipe, false),
    ROW(pipe2, false),        ROW(socket, false),
    ROW(socketpair, false),   ROW(accept, false),
    ROW(accept4, false),      ROW(recvmsg, false),
    ROW(recvmmsg, false),     ROW(dup, false),
    ROW(dup2, false),         ROW(dup3, false),
    ROW(fcntl, false),        ROW(fcntl64, false),
    ROW(pidfd_getfd, true),   ROW(eventfd, false),
    ROW(signalfd, false),     ROW(timerfd_create, false),
    ROW(inotify_init, true),  ROW(inotify_init1, true),
    ROW(fanotify_init, true), ROW(open_by_handle_at, true),
    ROW(epoll_create, false), ROW(epoll_create1, false),
    ROW(memfd_create, false), ROW(pidfd_open, true),
};

#define ROWS (sizeof rows / sizeof *rows)

/* One thread's descriptors, and when it made them. */
struct worker {
    pthread_t thread;
    pid_t tid;
    struct made made[ROWS];
    int errors[ROWS];
    uint64_t before[ROWS], after[ROWS];
};

static struct worker workers[THREADS];
static pthread_barrier_t barrier;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void unmake(struct made *made)
{
    if (made->stream)
        assert_int_equal(fclose(made->stream), 0);
    else if (made->process)
        pclose(made->process);
    else if (made->directory)
        assert_int_equal(closedir(made->directory), 0);
    else if (made->queue != -1)
        assert_int_equal(mq_close(made->queue), 0);
    else if (made->fds[0] >= 0)
        assert_int_equal(close(made->fds[0]), 0);
    if (made->fds[1] >= 0)
        assert_int_equal(close(made->fds[1]), 0);
    for (int i = 0; i < 4; i++)
        if (made->others[i] >= 0)
            close(made->others[i]);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    worker->tid = gettid();
    for (size_t i = 0; i < ROWS; i++) {
        struct made *made = &worker->made[i];
        *made = (struct made){ .fds = { -1, -1 }, .others = { -1, -1, -1, -1 }, .queue = -1 };
        worker->before[i] = now_ns();
        errno = 0;
        rows[i].make(made);
        worker->errors[i] = errno;
        worker->after[i] = now_ns();
    }
    pthread_barrier_wait(&barrier); /* all is open */
    pthread_barrier_wait(&barrier); /* it was looked at */
    for (size_t i = 0; i < ROWS; i++)
        unmake(&worker->made[i]);
    pthread_barrier_wait(&barrier); /* all is closed */
    pthread_barrier_wait(&barrier);
    return NULL;
}

static bool is_known(struct track_look *look, int fd, const struct row *row,
                     const struct worker *worker, size_t index)
{
    const uint64_t tick = 20000000; /* the clock of the records is a coarse one */
    struct origin origin;
    char link[256] = "", path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, link, sizeof link - 1);
    if (length < 0 || !tracking_fd(look->tracking, fd, &origin)) {
        print_error("%s: fd %d is not known\n", row->call, fd);
        return false;
    }
    bool good = strcmp(origin.call, row->call) == 0 && origin.tid == worker->tid &&
                track_has_function(look, &origin, row->function) &&
                track_has_function(look, &origin, "work") && !origin.partial &&
                origin.time_ns + tick >= worker->before[index] &&
                origin.time_ns <= worker->after[index] && tracking_fits(&origin, link);
    if (!good)
        print_error("%s: fd %d (%s) by %s in %s (%zu frames, %s), tid %d of %d, %.3f ms after\n",
                    row->call, fd, link, origin.call, track_function(look, &origin),
                    origin.frame_count, origin.partial ? origin.partial : "whole", (int)origin.tid,
                    (int)worker->tid,
                    ((double)origin.time_ns - (double)worker->before[index]) / 1e6);
    return good;
}

static size_t check_open(struct track_look *look, size_t *left_out)
{
    size_t wrong = 0;
    assert_true(track_look_again(look));
    for (size_t w = 0; w < THREADS; w++) {
        for (size_t i = 0; i < ROWS; i++) {
            const struct made *made = &workers[w].made[i];
            if (made->fds[0] < 0 && rows[i].may_fail) {
                if (w == 0)
                    print_message("not here: %s: %s\n", rows[i].call,
                                  strerror(workers[w].errors[i]));
                ++*left_out;
                continue;
            }
            wrong += !is_known(look, made->fds[0], &rows[i], &workers[w], i);
            if (made->fds[1] >= 0)
                wrong += !is_known(look, made->fds[1], &rows[i], &workers[w], i);
        }
    }
    return wrong;
}

/* Other threads of the process (libraries') may have opened something else meanwhile. */
static size_t check_closed(struct track_look *look)
{
    size_t wrong = 0;
    assert_true(track_look_again(look));
    for (size_t w = 0; w < THREADS; w++) {
        for (size_t i = 0; i < ROWS; i++) {
            struct origin origin;
            for (int j = 0; j < 2; j++) {
                int fd = workers[w].made[i].fds[j];
                if (fd < 0 || !tracking_fd(look->tracking, fd, &origin) ||
                    origin.tid != workers[w].tid)
                    continue;
                print_error("%s: fd %d is closed and still known\n", rows[i].call, fd);
                wrong++;
            }
        }
    }
    return wrong;
}

static void test_every_call_is_known(void **state)
{
    (void)state;
    struct track_look look;
    size_t left_out = 0;
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (size_t w = 0; w < THREADS; w++)
        assert_int_equal(pthread_create(&workers[w].thread, NULL, work, &workers[w]), 0);
    pthread_barrier_wait(&barrier);
    track_look_open(&look);
    size_t wrong = check_open(&look, &left_out);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    size_t still_known = check_closed(&look);
    const struct double_close *list;
    size_t count;
    assert_int_equal(tracking_double_closes(look.tracking, &list, &count), 0);
    assert_int_equal(tracking_lost(look.tracking), 0);
    pthread_barrier_wait(&barrier);
    for (size_t w = 0; w < THREADS; w++)
        pthread_join(workers[w].thread, NULL);
    print_message("%zu calls by %d threads, %zu of them not to be had here\n", THREADS * ROWS,
                  THREADS, left_out);
    assert_int_equal(wrong, 0);
    assert_int_equal(still_known, 0);
    assert_true(left_out < THREADS * ROWS / 4);
    track_look_close(&look);
}

int main(void)
{
    alarm(120);
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_call_is_known) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
