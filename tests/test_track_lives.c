/* test_track_lives.c proves that what tracking knows stays true through all
 * that happens to descriptors and threads: closed twice, closed in ranges, reused
 * past the C library, inherited by fork, vfork, spawn and exec, opened and closed in
 * signal handlers, threads that come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "track/layout.h"
#include "track_look.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")

extern char **environ;

static struct track_look look;

/* The tables themselves, for what cannot be brought about from outside. */
static struct track_root *tables(void)
{
    struct track_root *root = dlsym(RTLD_DEFAULT, TRACK_ROOT_SYMBOL);
    assert_non_null(root);
    assert_int_equal(root->magic, TRACK_MAGIC);
    return root;
}

static bool known(int fd, const char *call, const char *function)
{
    struct origin origin;
    assert_true(track_look_again(&look));
    return tracking_fd(look.tracking, fd, &origin) && strcmp(origin.call, call) == 0 &&
           track_has_function(&look, &origin, function);
}

static bool unknown(int fd)
{
    struct origin origin;
    assert_true(track_look_again(&look));
    return !tracking_fd(look.tracking, fd, &origin);
}

static NOINLINE int first_opener(void)
{
    int fd = open("/dev/null", O_RDONLY);
    STAY();
    return fd;
}

static NOINLINE int second_opener(void)
{
    int fd = eventfd(0, 0);
    STAY();
    return fd;
}

static NOINLINE int rightful_owner(int fd)
{
    int status = close(fd);
    STAY();
    return status;
}

static NOINLINE int second_closer(int fd)
{
    int status = close(fd);
    __asm__ volatile("nop"); /* or the two functions are the same to the compiler, and one */
    return status;
}

static void test_closed_twice(void **state)
{
    (void)state;
    const struct double_close *list;
    size_t count;
    assert_true(track_look_again(&look));
    uint64_t before = tracking_double_closes(look.tracking, &list, &count);
    size_t listed = count;
    int fd = first_opener();
    volatile int times = 5; /* or each turn of the loop is a call of its own */
    assert_int_equal(rightful_owner(fd), 0);
    for (int i = 0; i < times; i++) {
        errno = 0;
        assert_int_equal(second_closer(fd), -1);
        assert_int_equal(errno, EBADF);
    }
    assert_int_equal(close(-1), -1); /* not a descriptor: a habit, and no mistake */
    assert_true(track_look_again(&look));
    assert_int_equal(tracking_double_closes(look.tracking, &list, &count), before + 5);
    assert_int_equal(count, listed + 1);
    const struct double_close *last = &list[count - 1];
    assert_int_equal(last->fd, fd);
    assert_int_equal(last->times, 5);
    assert_string_equal(last->closed.call, "close");
    assert_string_equal(last->before.call, "close");
    assert_int_equal(last->closed.tid, gettid());
    /* Not always innermost: a sanitizer's own close may lie between. */
    assert_true(track_has_function(&look, &last->closed, "second_closer"));
    assert_false(track_has_function(&look, &last->closed, "rightful_owner"));
    assert_true(track_has_function(&look, &last->before, "rightful_owner"));
}

/* A stream whose descriptor somebody else has closed. */
static void test_stream_closed_twice(void **state)
{
    (void)state;
    const struct double_close *list;
    size_t count;
    FILE *stream = fopen("/dev/null", "r");
    assert_int_equal(rightful_owner(fileno(stream)), 0);
    assert_int_equal(fclose(stream), EOF);
    assert_int_equal(errno, EBADF);
    assert_true(track_look_again(&look));
    tracking_double_closes(look.tracking, &list, &count);
    assert_true(count > 0);
    assert_string_equal(list[count - 1].closed.call, "fclose");
    assert_true(track_has_function(&look, &list[count - 1].before, "rightful_owner"));
}

static void test_a_loop_over_all_numbers_takes_one_place(void **state)
{
    (void)state;
    const struct double_close *list;
    size_t count;
    assert_true(track_look_again(&look));
    tracking_double_closes(look.tracking, &list, &count);
    size_t listed = count;
    for (int fd = 5000; fd < 30000; fd++)
        close(fd);
    assert_true(track_look_again(&look));
    tracking_double_closes(look.tracking, &list, &count);
    assert_int_equal(count, listed + 1);
    assert_int_equal(list[count - 1].times, 25000);
    assert_null(list[count - 1].before.call);
}

static void test_ranges(void **state)
{
    (void)state;
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = dup2(2, 700 + i);
    assert_true(known(fds[1], "dup2", __func__));
    assert_int_equal(close_range(701, 701, CLOSE_RANGE_CLOEXEC), 0);
    assert_true(known(fds[1], "dup2", __func__)); /* it is open still */
    assert_int_equal(close_range(701, 702, 0), 0);
    assert_true(unknown(fds[1]));
    assert_true(unknown(fds[2]));
    assert_true(known(fds[0], "dup2", __func__));
    closefrom(700);
    assert_true(unknown(fds[0]));
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
}

static void test_replaced(void **state)
{
    (void)state;
    int fd = first_opener();
    int other = second_opener();
    assert_true(known(fd, "open", "first_opener"));
    assert_int_equal(dup2(other, fd), fd);
    assert_true(known(fd, "dup2", __func__));
    assert_int_equal(dup2(fd, fd), fd); /* changes nothing */
    close(fd);
    close(other);
    assert_true(unknown(fd));
}

static struct track_fd *entry_of(int fd)
{
    uint64_t chunk = tables()->fd_chunks[fd / (int)TRACK_FD_CHUNK];
    return (struct track_fd *)(uintptr_t)chunk + fd % (int)TRACK_FD_CHUNK;
}

/* An entry that somebody is writing at this moment. */
static void test_busy(void **state)
{
    (void)state;
    int fd = first_opener();
    assert_true(track_look_again(&look));
    uint64_t lost = tracking_lost(look.tracking);
    assert_int_equal(close(fd), 0);
    /* A thread of the parent, when this process was forked from it: taken over. */
    entry_of(fd)->busy = tables()->epoch + 7;
    entry_of(fd)->version |= 1;
    assert_int_equal(first_opener(), fd);
    assert_true(known(fd, "open", "first_opener"));
    assert_int_equal(tracking_lost(look.tracking), lost);
    assert_int_equal(close(fd), 0);
    /* Another thread of this one: nobody waits, and nothing false is said. */
    entry_of(fd)->busy = tables()->epoch;
    assert_int_equal(first_opener(), fd);
    assert_true(unknown(fd));
    assert_int_equal(tracking_lost(look.tracking), lost + 1);
    entry_of(fd)->busy = 0;
    assert_int_equal(close(fd), 0);
    tables()->lost = lost;
}

/* What is opened or closed past the C library. */
static void test_past_the_library(void **state)
{
    (void)state;
    struct origin origin;
    char path[64], link[64];
    int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    assert_true(unknown(fd));
    close(fd);
    fd = first_opener();
    syscall(SYS_close, fd);
    assert_int_equal(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0), fd);
    assert_true(track_look_again(&look));
    assert_true(tracking_fd(look.tracking, fd, &origin)); /* the former opener ... */
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, link, sizeof link - 1);
    assert_true(length > 0);
    link[length] = 0;
    assert_false(tracking_fits(&origin, link)); /* ... cannot be the one of a socket */
    assert_true(tracking_fits(&origin, "/dev/null"));
    close(fd);
}

/* Threads. */

static pthread_barrier_t barrier;
static pid_t tids[3];

static void *posix_main(void *argument)
{
    *(pid_t *)argument = gettid();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void *exits_main(void *argument)
{
    *(pid_t *)argument = gettid();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    pthread_exit(NULL);
}

/* ThreadSanitizer does not know such threads. */
#if !defined(__SANITIZE_THREAD__)
#define HAVE_ISO_THREADS 1
#define HAVE_THREADS_AFTER_FORK true

static int iso_main(void *argument)
{
    *(pid_t *)argument = gettid();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return 77;
}

static NOINLINE thrd_t iso_starter(pid_t *tid)
{
    thrd_t thread;
    assert_int_equal(thrd_create(&thread, iso_main, tid), thrd_success);
    STAY();
    return thread;
}

#endif

static NOINLINE pthread_t thread_starter(void *(*function)(void *), pid_t *tid)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, function, tid), 0);
    STAY();
    return thread;
}

static bool thread_known(pid_t tid, const char *call, const char *function)
{
    struct origin origin;
    return tracking_thread(look.tracking, tid, &origin) && strcmp(origin.call, call) == 0 &&
           origin.tid == gettid() && track_has_function(&look, &origin, function);
}

static void test_threads(void **state)
{
    (void)state;
    struct origin origin;
    pthread_barrier_init(&barrier, NULL, 4);
    pthread_t one = thread_starter(posix_main, &tids[0]);
    pthread_t two = thread_starter(exits_main, &tids[1]);
#if defined(HAVE_ISO_THREADS)
    thrd_t three = iso_starter(&tids[2]);
    const char *call = "thrd_create", *starter = "iso_starter";
#else
    pthread_t three = thread_starter(posix_main, &tids[2]);
    const char *call = "pthread_create", *starter = "thread_starter";
#endif
    pthread_barrier_wait(&barrier);
    assert_true(track_look_again(&look));
    assert_true(thread_known(tids[0], "pthread_create", "thread_starter"));
    assert_true(thread_known(tids[1], "pthread_create", "thread_starter"));
    assert_true(thread_known(tids[2], call, starter));
    assert_false(tracking_thread(look.tracking, gettid(), &origin)); /* nobody started main */
    pthread_barrier_wait(&barrier);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
#if defined(HAVE_ISO_THREADS)
    int status;
    assert_int_equal(thrd_join(three, &status), thrd_success);
    assert_int_equal(status, 77);
#else
    pthread_join(three, NULL);
#endif
    assert_true(track_look_again(&look));
    for (int i = 0; i < 3; i++)
        assert_false(tracking_thread(look.tracking, tids[i], &origin));
}

static void *short_life(void *argument)
{
    close(second_opener());
    return argument;
}

/* Slots are given back: thousands of threads take the room of a few. */
static void test_many_short_threads(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        pthread_t threads[8];
        for (int i = 0; i < 8; i++)
            threads[i] = thread_starter(short_life, NULL);
        for (int i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
    }
    assert_true(track_look_again(&look));
    assert_int_equal(tracking_lost(look.tracking), 0);
    assert_true(tables()->thread_count < 100);
}

/* Children. Each reports by its exit status: 0 all is well, else the line. */

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(__LINE__ % 250 + 1);                                                             \
    } while (0)

static int status_of(pid_t pid)
{
    int status;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void *child_thread(void *argument)
{
    *(int *)argument = second_opener();
    return NULL;
}

static void in_forked_child(int inherited, bool by_library)
{
    struct origin origin;
    struct track_look own;
    pthread_t thread;
    int fd, other;
    CHECK(close(inherited) == 0);
    CHECK(open("/dev/zero", O_RDONLY) == inherited);
    fd = first_opener();
    CHECK(!by_library || pthread_create(&thread, NULL, child_thread, &other) == 0);
    CHECK(!by_library || pthread_join(thread, NULL) == 0);
    track_look_open(&own);
    CHECK(track_look_again(&own));
    CHECK(tracking_fd(own.tracking, fd, &origin) && origin.tid == gettid());
    CHECK(track_has_function(&own, &origin, "first_opener"));
    CHECK(tracking_fd(own.tracking, inherited, &origin) && origin.tid == gettid());
    CHECK(!by_library || (tracking_fd(own.tracking, other, &origin) && origin.tid != gettid()));
    CHECK(tracking_lost(own.tracking) == 0);
    _exit(0);
}

static _Atomic bool churning;

/* Writes entries all the time, so that a fork comes in the middle of it. */
static void *churn(void *argument)
{
    while (churning)
        close(second_opener());
    return argument;
}

#if !defined(HAVE_THREADS_AFTER_FORK)
#define HAVE_THREADS_AFTER_FORK false /* ThreadSanitizer ends such a child */
#endif

static void test_fork(void **state)
{
    (void)state;
    pthread_t threads[2];
    int fd = first_opener();
    churning = true;
    for (int i = 0; i < 2; i++)
        threads[i] = thread_starter(churn, NULL);
    for (int i = 0; i < 60; i++) {
        pid_t pid = fork();
        if (pid == 0)
            in_forked_child(fd, HAVE_THREADS_AFTER_FORK);
        assert_int_equal(status_of(pid), 0);
    }
    /* Past the fork handlers of the C library. */
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        in_forked_child(fd, false);
    assert_int_equal(status_of(pid), 0);
    churning = false;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(known(fd, "open", "first_opener"));
    close(fd);
}

/* A child of vfork closes and opens as it likes: those are its descriptors. */
static NOINLINE pid_t vfork_and_close(int fd)
{
    pid_t pid = vfork();
    if (pid == 0) {
        int other = open("/dev/zero", O_RDONLY);
        bool good = close(fd) == 0 && dup2(other, fd) == fd && close(fd) == 0 && close(fd) == -1;
        _exit(good ? 0 : 1);
    }
    return pid;
}

static int clone_main(void *argument)
{
    _exit(close(*(int *)argument) == 0 ? 0 : 1);
}

static void test_vfork(void **state)
{
    (void)state;
    static char stack[65536];
    const struct double_close *list;
    size_t count;
    assert_true(track_look_again(&look));
    uint64_t before = tracking_double_closes(look.tracking, &list, &count);
    int fd = first_opener();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(status_of(vfork_and_close(fd)), 0);
        assert_true(known(fd, "open", "first_opener"));
        int own = second_opener(); /* the parent goes on recording */
        assert_true(known(own, "eventfd", "second_opener"));
        close(own);
    }
    pid_t pid = clone(clone_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &fd);
    assert_int_equal(status_of(pid), 0);
    assert_true(known(fd, "open", "first_opener"));
    assert_int_equal(tracking_double_closes(look.tracking, &list, &count), before);
    close(fd);
    assert_true(unknown(fd));
}

static void test_spawn(void **state)
{
    (void)state;
    posix_spawn_file_actions_t actions;
    char *const arguments[] = { (char *)(uintptr_t) "true", NULL };
    pid_t pid;
    int fd = first_opener();
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, fd);
    posix_spawn_file_actions_adddup2(&actions, 2, fd);
    assert_int_equal(posix_spawnp(&pid, "true", &actions, NULL, arguments, environ), 0);
    assert_int_equal(status_of(pid), 0);
    assert_int_equal(system("exit 3") >> 8, 3);
    assert_true(known(fd, "open", "first_opener"));
    posix_spawn_file_actions_destroy(&actions);
    close(fd);
}

/* What was opened before an exec is nobody's any more. */
static int after_exec(int inherited)
{
    struct origin origin;
    track_look_open(&look);
    int fd = first_opener();
    CHECK(track_look_again(&look));
    CHECK(fcntl(inherited, F_GETFD) >= 0);
    CHECK(!tracking_fd(look.tracking, inherited, &origin));
    CHECK(tracking_fd(look.tracking, fd, &origin) && origin.tid == gettid());
    return 0;
}

static void test_exec(void **state)
{
    (void)state;
    char number[16];
    int fd = dup2(1, 90);
    snprintf(number, sizeof number, "%d", fd);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "after-exec", number, (char *)NULL);
        _exit(255);
    }
    assert_int_equal(status_of(pid), 0);
    close(fd);
}

/* Signal handlers. */

#define SIGNALLED 4
#define HELD 8

static _Thread_local int held[HELD]; /* by the handler; 0 none */
static _Thread_local unsigned turns;
static _Thread_local pid_t own_tid;

static NOINLINE int handler_opener(void)
{
    int fd = dup(2);
    STAY();
    return fd;
}

static _Atomic unsigned turns_of_all;

static void handler(int number)
{
    int before = errno;
    int *one = &held[turns++ % HELD];
    (void)number;
    if (*one)
        close(*one);
    *one = handler_opener();
    turns_of_all++;
    errno = before;
}

struct signalled {
    pthread_t thread;
    pid_t tid;
    int held[HELD];
    int own;
    unsigned turns;
    unsigned rounds;
};

static void *signalled_main(void *argument)
{
    struct signalled *one = argument;
    one->tid = own_tid = gettid();
    pthread_barrier_wait(&barrier);
    while (churning) {
        int fd = second_opener();
        errno = 1234;
        close(fd);
        one->rounds += errno == 1234; /* neither we nor the handler changed it */
    }
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    one->own = first_opener();
    memcpy(one->held, held, sizeof held);
    one->turns = turns;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

/* Has the kernel send SIGUSR1 to thread TID, 5,000 times a second. */
static timer_t interrupt_often(pid_t tid)
{
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
    const struct itimerspec often = { { 0, 200000 }, { 0, 200000 } };
    timer_t timer;
    event._sigev_un._tid = tid;
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &often, NULL), 0);
    return timer;
}

static void check_signalled(const struct signalled *one)
{
    struct origin origin;
    assert_true(tracking_fd(look.tracking, one->own, &origin) && origin.tid == one->tid);
    for (int i = 0; i < HELD; i++) {
        if (one->held[i] <= 0)
            continue;
        assert_true(tracking_fd(look.tracking, one->held[i], &origin));
        assert_int_equal(origin.tid, one->tid);
        assert_true(track_has_function(&look, &origin, "handler_opener"));
        assert_true(track_has_function(&look, &origin, "signalled_main")); /* past the handler */
    }
}

static void test_signal_handlers(void **state)
{
    (void)state;
    static struct signalled threads[SIGNALLED];
    timer_t timers[SIGNALLED];
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
    unsigned turns_done = 0;
    sigaction(SIGUSR1, &action, NULL);
    pthread_barrier_init(&barrier, NULL, SIGNALLED + 1);
    churning = true;
    for (int i = 0; i < SIGNALLED; i++)
        assert_int_equal(pthread_create(&threads[i].thread, NULL, signalled_main, &threads[i]), 0);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < SIGNALLED; i++)
        timers[i] = interrupt_often(threads[i].tid);
    for (int i = 0; i < 3000 && turns_of_all < 2000; i++)
        usleep(10000);
    for (int i = 0; i < SIGNALLED; i++)
        timer_delete(timers[i]);
    churning = false;
    pthread_barrier_wait(&barrier);
    assert_true(track_look_again(&look));
    for (int i = 0; i < SIGNALLED; i++) {
        check_signalled(&threads[i]);
        turns_done += threads[i].turns;
        assert_true(threads[i].rounds > 0);
    }
    print_message("%u handlers ran; %lu records lost\n", turns_done,
                  (unsigned long)tracking_lost(look.tracking));
    assert_true(turns_done > 500);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < SIGNALLED; i++) {
        pthread_join(threads[i].thread, NULL);
        for (int j = 0; j < HELD; j++)
            if (threads[i].held[j] > 0)
                close(threads[i].held[j]);
        close(threads[i].own);
    }
}

/* A thread with a table of its own is not recorded: its numbers are not ours. */
static void *leaves_main(void *argument)
{
    if (close_range(3, ~0u, CLOSE_RANGE_UNSHARE) == 0)
        *(int *)argument = dup2(2, 800);
    return NULL;
}

static void test_own_table(void **state)
{
    (void)state;
    int theirs = -1;
    int fd = first_opener();
    pthread_t thread = thread_starter(leaves_main, (pid_t *)&theirs);
    pthread_join(thread, NULL);
    assert_true(known(fd, "open", "first_opener"));
    if (theirs != -1)
        assert_true(unknown(theirs));
    close(fd);
}

int main(int argc, char **argv)
{
    alarm(250);
    if (argc == 2 && strcmp(argv[0], "after-exec") == 0)
        return after_exec(atoi(argv[1]));
    track_look_open(&look);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_twice),
        cmocka_unit_test(test_stream_closed_twice),
        cmocka_unit_test(test_a_loop_over_all_numbers_takes_one_place),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_past_the_library),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_many_short_threads),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_vfork),
        cmocka_unit_test(test_spawn),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_signal_handlers),
        cmocka_unit_test(test_own_table),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    track_look_close(&look);
    return failed;
}
