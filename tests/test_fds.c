/* test_fds.c proves that every kind of descriptor is shown as what it is.
 *
 * A table: each row makes one (and what it needs beside it) and says what must be found
 * of it. What it says comes from what the row itself did: the names it gave, the bytes it wrote,
 * the addresses that getsockname tells. Each is looked at with and without
 * details, and by a second process as well. Sockets have a table of their own (test_fds_sockets.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/target.h"
#include "fd_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define HELD_MOST 8

static char folder[256];
static struct fd_looker *looker;

/* What a row made, and what must be found. */
struct made {
    int held[HELD_MOST]; /* everything to be closed; held[0] is looked at */
    size_t count;
    pid_t child; /* to be ended; 0 */

    const char *kind;
    char target[5000];
    const char *detail; /* in the details; NULL: none */
    const char *also;   /* the same: a second piece of it */
    bool deleted;
    bool not_sure;
    int64_t position; /* -1: none */
    bool has_inode;   /* that fstat tells */
    int access;
    long watched;
    int other_end;       /* a position in held; -1 */
    long unread, unsent; /* -1: not known */
};

static int hold(struct made *made, int fd)
{
    if (fd < 0)
        return -1;
    assert_true(made->count < HELD_MOST);
    made->held[made->count++] = fd;
    return fd;
}

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void expect_path(struct made *made, const char *kind, const char *path)
{
    made->kind = kind;
    snprintf(made->target, sizeof made->target, "%s", path);
    made->position = 0;
    made->has_inode = true;
}

static void expect_anonymous(struct made *made, const char *kind, const char *target,
                             const char *detail)
{
    made->kind = kind;
    snprintf(made->target, sizeof made->target, "%s", target);
    made->detail = detail;
    made->access = O_RDWR;
}

static bool make_file(struct made *made)
{
    int fd = hold(made, open(path_of("file"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    assert_int_equal(write(fd, "0123456789", 10), 10);
    expect_path(made, "file", path_of("file"));
    made->position = 10;
    made->access = O_RDWR;
    return true;
}

static bool make_file_read_only(struct made *made)
{
    hold(made, open("/proc/self/exe", O_RDONLY));
    char path[512] = { 0 };
    assert_true(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    expect_path(made, "file", path);
    made->access = O_RDONLY;
    return true;
}

static bool make_write_only(struct made *made)
{
    hold(made, open(path_of("out"), O_WRONLY | O_CREAT | O_NONBLOCK, 0600));
    expect_path(made, "file", path_of("out"));
    made->access = O_WRONLY;
    return true;
}

static bool make_deleted(struct made *made)
{
    hold(made, open(path_of("gone"), O_RDWR | O_CREAT, 0600));
    unlink(path_of("gone"));
    char text[600];
    snprintf(text, sizeof text, "%s (deleted)", path_of("gone"));
    expect_path(made, "file", text);
    made->deleted = true;
    made->access = O_RDWR;
    return true;
}

/* Its flags hold the bit of O_DIRECTORY, and it is none. */
static bool make_nameless(struct made *made)
{
    int fd = hold(made, open(folder, O_TMPFILE | O_RDWR, 0600));
    if (fd < 0)
        return false;
    struct stat status;
    char text[600];
    fstat(fd, &status);
    snprintf(text, sizeof text, "%s/#%llu (deleted)", folder, (unsigned long long)status.st_ino);
    expect_path(made, "file", text);
    made->deleted = true;
    made->access = O_RDWR;
    return true;
}

static bool make_odd_name(struct made *made)
{
    const char *path = path_of("new\nline \033[31m\xff\xc3\x28 \"quoted\" (deleted) \xe2\x82\xac");
    hold(made, open(path, O_RDWR | O_CREAT, 0600));
    expect_path(made, "file", path);
    made->access = O_RDWR;
    return true;
}

/* Ten folders of 200 letters below each other: 2 kB of path. */
static bool make_long_path(struct made *made)
{
    char name[201];
    char path[4096];
    memset(name, 'x', 200);
    name[200] = 0;
    snprintf(path, sizeof path, "%s", folder);
    for (int i = 0; i < 10; i++) {
        size_t length = strlen(path);
        snprintf(path + length, sizeof path - length, "/%s", name);
        mkdir(path, 0700);
    }
    size_t length = strlen(path);
    snprintf(path + length, sizeof path - length, "/file");
    hold(made, open(path, O_RDWR | O_CREAT, 0600));
    expect_path(made, "file", path);
    made->access = O_RDWR;
    return true;
}

/* Longer than the kernel tells: it can only be made step by step. */
static bool make_too_long_path(struct made *made)
{
    char name[251];
    memset(name, 'y', 250);
    name[250] = 0;
    int at = open(folder, O_PATH);
    for (int i = 0; i < 20; i++) {
        mkdirat(at, name, 0700);
        int next = openat(at, name, O_PATH | O_DIRECTORY);
        close(at);
        at = next;
    }
    int fd = openat(at, "file", O_RDWR | O_CREAT, 0600);
    close(at);
    hold(made, fd);
    expect_path(made, "file", "(a path that is too long for the kernel to tell)");
    made->access = O_RDWR;
    return true;
}

static bool make_directory(struct made *made)
{
    hold(made, open(folder, O_RDONLY));
    expect_path(made, "directory", folder);
    made->access = O_RDONLY;
    return true;
}

static bool make_opendir(struct made *made)
{
    DIR *list = opendir(folder);
    assert_non_null(list);
    hold(made, dup(dirfd(list)));
    closedir(list);
    expect_path(made, "directory", folder);
    made->access = O_RDONLY;
    return true;
}

static bool make_handle(struct made *made)
{
    hold(made, open(folder, O_PATH));
    expect_path(made, "directory", folder);
    made->access = O_PATH;
    return true;
}

static bool make_device(struct made *made)
{
    hold(made, open("/dev/null", O_WRONLY));
    expect_path(made, "device", "/dev/null");
    made->access = O_WRONLY;
    return true;
}

static bool make_terminal(struct made *made)
{
    hold(made, open("/dev/ptmx", O_RDWR | O_NOCTTY));
    if (made->count == 0)
        return false;
    char path[64];
    assert_int_equal(ptsname_r(made->held[0], path, sizeof path), 0);
    assert_int_equal(unlockpt(made->held[0]), 0);
    int other = open(path, O_RDWR | O_NOCTTY);
    made->held[1] = made->held[0];
    made->held[0] = other;
    made->count = 2;
    expect_path(made, "device", path);
    made->access = O_RDWR;
    return other >= 0;
}

static bool make_queue(struct made *made)
{
    int fd = (int)mq_open("/snag-test-fds", O_RDWR | O_CREAT, 0600, NULL);
    if (hold(made, fd) < 0)
        return false;
    mq_unlink("/snag-test-fds");
    expect_path(made, "file", "/snag-test-fds (deleted)");
    made->deleted = true;
    made->not_sure = true; /* its mount is the kernel's own: in no list */
    made->access = O_RDWR;
    return true;
}

/* The read end is looked at; the write end is held[1]. */
static bool make_pipe(struct made *made)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    hold(made, ends[0]);
    hold(made, ends[1]);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    struct stat status;
    fstat(ends[0], &status);
    made->kind = "pipe";
    snprintf(made->target, sizeof made->target, "pipe:[%llu], read end, other end is fd %d",
             (unsigned long long)status.st_ino, ends[1]);
    made->has_inode = true;
    made->access = O_RDONLY;
    made->other_end = 1;
    made->unread = 5;
    made->unsent = 0;
    return true;
}

static bool make_pipe_write_end(struct made *made)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    hold(made, ends[1]);
    hold(made, ends[0]);
    char bytes[4096] = { 0 };
    long written = 0;
    for (ssize_t got; (got = write(ends[1], bytes, sizeof bytes)) > 0;)
        written += got;
    struct stat status;
    fstat(ends[0], &status);
    made->kind = "pipe";
    snprintf(made->target, sizeof made->target, "pipe:[%llu], write end, other end is fd %d",
             (unsigned long long)status.st_ino, ends[0]);
    made->has_inode = true;
    made->access = O_WRONLY;
    made->other_end = 1;
    made->unread = 0;
    made->unsent = written;
    assert_true(written >= 4096);
    return true;
}

static bool make_pipe_alone(struct made *made)
{
    int ends[2];
    assert_int_equal(pipe2(ends, 0), 0);
    close(ends[0]);
    hold(made, ends[1]);
    struct stat status;
    fstat(ends[1], &status);
    made->kind = "pipe";
    snprintf(made->target, sizeof made->target, "pipe:[%llu], write end",
             (unsigned long long)status.st_ino);
    made->has_inode = true;
    made->access = O_WRONLY;
    made->unread = 0;
    made->unsent = 0;
    return true;
}

static bool make_fifo(struct made *made)
{
    const char *path = path_of("fifo");
    assert_true(mkfifo(path, 0600) == 0 || errno == EEXIST);
    hold(made, open(path, O_RDONLY | O_NONBLOCK));
    hold(made, open(path, O_WRONLY));
    char text[600];
    snprintf(text, sizeof text, "%s, read end, other end is fd %d", path, made->held[1]);
    expect_path(made, "fifo", text);
    made->access = O_RDONLY;
    made->other_end = 1;
    return true;
}

static bool make_fifo_both(struct made *made)
{
    const char *path = path_of("fifo2");
    assert_true(mkfifo(path, 0600) == 0 || errno == EEXIST);
    hold(made, open(path, O_RDWR));
    char text[600];
    snprintf(text, sizeof text, "%s, both ends", path);
    expect_path(made, "fifo", text);
    made->access = O_RDWR;
    return true;
}

static void watch(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = { .events = events };
    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
}

static bool make_epoll(struct made *made)
{
    static char detail[128];
    static char also[128];
    int epoll = hold(made, epoll_create1(0));
    int event = hold(made, eventfd(0, 0));
    int timer = hold(made, timerfd_create(CLOCK_MONOTONIC, 0));
    watch(epoll, event, EPOLLIN | EPOLLET);
    watch(epoll, timer, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
    snprintf(detail, sizeof detail, "fd %d eventfd IN|ET", event);
    snprintf(also, sizeof also, "fd %d timerfd IN|RDHUP|ONESHOT", timer);
    expect_anonymous(made, "epoll", "watches 2 descriptors", detail);
    made->also = also;
    made->watched = 2;
    return true;
}

static bool make_nested_epoll(struct made *made)
{
    static char detail[128];
    int outer = hold(made, epoll_create1(EPOLL_CLOEXEC));
    int inner = hold(made, epoll_create1(0));
    watch(outer, inner, EPOLLIN);
    snprintf(detail, sizeof detail, "watches fd %d epoll IN", inner);
    expect_anonymous(made, "epoll", "watches 1 descriptor", detail);
    made->watched = 1;
    return true;
}

/* The file lives on by its copy, and is watched under a number that is another file by now. */
static bool make_epoll_stale(struct made *made)
{
    static char detail[128];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int epoll = hold(made, epoll_create1(0));
    hold(made, ends[1]);
    hold(made, dup(ends[0]));
    watch(epoll, ends[0], EPOLLIN);
    int others[2];
    assert_int_equal(pipe(others), 0);
    assert_int_equal(dup2(others[0], ends[0]), ends[0]);
    close(others[0]);
    hold(made, ends[0]);
    hold(made, others[1]);
    snprintf(detail, sizeof detail, "watches fd %d (closed; a copy of it is open) IN", ends[0]);
    expect_anonymous(made, "epoll", "watches 1 descriptor", detail);
    made->watched = 1;
    return true;
}

static bool make_big_epoll(struct made *made)
{
    int epoll = hold(made, epoll_create1(0));
    for (int i = 0; i < 300; i++) {
        int fd = eventfd(0, 0);
        assert_true(fd >= 0);
        watch(epoll, fd, EPOLLIN);
    }
    expect_anonymous(made, "epoll", "watches 300 descriptors", " and 44 more");
    made->watched = 300;
    return true;
}

static void close_big_epoll(void)
{
    for (int fd = 3; fd < 1000; fd++) {
        char link[64] = { 0 };
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, link, sizeof link - 1) > 0 && strcmp(link, "anon_inode:[eventfd]") == 0)
            close(fd);
    }
}

static bool make_eventfd(struct made *made)
{
    hold(made, eventfd(300, EFD_NONBLOCK));
    expect_anonymous(made, "eventfd", "anon_inode:[eventfd]", "count 300");
    return true;
}

static bool make_semaphore(struct made *made)
{
    hold(made, eventfd(2, EFD_SEMAPHORE));
    expect_anonymous(made, "eventfd", "anon_inode:[eventfd]", "count 2, a semaphore");
    return true;
}

static bool make_timer(struct made *made)
{
    const struct itimerspec time = { .it_value = { 5000, 0 }, .it_interval = { 1, 500000000 } };
    int fd = hold(made, timerfd_create(CLOCK_BOOTTIME, 0));
    assert_int_equal(timerfd_settime(fd, 0, &time, NULL), 0);
    expect_anonymous(made, "timerfd", "anon_inode:[timerfd]",
                     "CLOCK_BOOTTIME, expires in 83 min, every 1.5 s");
    return true;
}

static bool make_idle_timer(struct made *made)
{
    hold(made, timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC));
    expect_anonymous(made, "timerfd", "anon_inode:[timerfd]", "CLOCK_REALTIME, not set");
    return true;
}

static bool make_expired_timer(struct made *made)
{
    const struct itimerspec time = { .it_value = { 0, 1 } };
    int fd = hold(made, timerfd_create(CLOCK_MONOTONIC, 0));
    assert_int_equal(timerfd_settime(fd, 0, &time, NULL), 0);
    usleep(20000);
    expect_anonymous(made, "timerfd", "anon_inode:[timerfd]",
                     "CLOCK_MONOTONIC, not set, expired 1 time and was not read");
    return true;
}

static bool make_signalfd(struct made *made)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN + 3);
    hold(made, signalfd(-1, &set, 0));
    expect_anonymous(made, "signalfd", "anon_inode:[signalfd]", "SIGUSR2 SIGTERM SIGRTMIN+3");
    return true;
}

static bool make_inotify(struct made *made)
{
    int fd = hold(made, inotify_init1(IN_CLOEXEC));
    assert_true(inotify_add_watch(fd, folder, IN_CREATE) >= 0);
    assert_true(inotify_add_watch(fd, "/", IN_CREATE) >= 0);
    expect_anonymous(made, "inotify", "anon_inode:inotify", "2 watches");
    made->access = O_RDONLY;
    return true;
}

static bool make_fanotify(struct made *made)
{
    int fd = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY);
    if (hold(made, fd) < 0)
        return false;
    if (fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, folder) != 0)
        return false;
    expect_anonymous(made, "fanotify", "anon_inode:[fanotify]", "1 mark");
    return true;
}

static bool make_memfd(struct made *made)
{
    int fd = hold(made, memfd_create("cache of\tthings", 0));
    assert_int_equal(write(fd, "abc", 3), 3);
    expect_anonymous(made, "memfd", "memfd:cache of\tthings", NULL);
    made->has_inode = true;
    made->position = 3;
    return true;
}

static bool make_pidfd(struct made *made)
{
    hold(made, (int)syscall(SYS_pidfd_open, getpid(), 0));
    if (made->count == 0)
        return false;
    char name[32] = { 0 };
    int comm = open("/proc/self/comm", O_RDONLY);
    assert_true(read(comm, name, sizeof name - 1) > 0);
    close(comm);
    name[strcspn(name, "\n")] = 0;
    char text[96];
    snprintf(text, sizeof text, "process %d (%s)", (int)getpid(), name);
    expect_anonymous(made, "pidfd", text, NULL);
    return true;
}

static bool make_pidfd_gone(struct made *made)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    hold(made, (int)syscall(SYS_pidfd_open, child, 0));
    waitpid(child, NULL, 0);
    if (made->count == 0)
        return false;
    expect_anonymous(made, "pidfd", "process that has ended and was waited for", NULL);
    return true;
}

static bool make_io_uring(struct made *made)
{
    char parameters[120] = { 0 };
    if (hold(made, (int)syscall(SYS_io_uring_setup, 8, parameters)) < 0)
        return false;
    expect_anonymous(made, "io_uring", "anon_inode:[io_uring]", "SqMask 0x7");
    return true;
}

static bool make_namespace(struct made *made)
{
    int fd = hold(made, open("/proc/self/ns/net", O_RDONLY));
    char link[64] = { 0 };
    assert_true(readlink("/proc/self/ns/net", link, sizeof link - 1) > 0);
    made->kind = "namespace";
    snprintf(made->target, sizeof made->target, "%s", link);
    made->has_inode = true;
    made->access = O_RDONLY;
    return fd >= 0;
}

/* A kind that has no name here, with lines of its own in fdinfo. */
static bool make_unknown(struct made *made)
{
    if (hold(made, (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */)) < 0)
        return false;
    expect_anonymous(made, "anon", "anon_inode:[userfaultfd]", "pending 0, total 0");
    made->access = O_RDONLY;
    return true;
}

/* ... and one without. */
static bool make_unknown_plain(struct made *made)
{
    struct perf_event_attr attribute = { .type = PERF_TYPE_SOFTWARE,
                                         .size = sizeof attribute,
                                         .config = PERF_COUNT_SW_TASK_CLOCK };
    if (hold(made, (int)syscall(SYS_perf_event_open, &attribute, 0, -1, -1, 0)) < 0)
        return false;
    expect_anonymous(made, "anon", "anon_inode:[perf_event]", NULL);
    return true;
}

static const struct descriptor *must_find(const struct fd_dump *dump, int fd)
{
    const struct descriptor *found = fd_dump_find(dump, fd);
    if (!found)
        fail_msg("fd %d is not in the dump", fd);
    return found;
}

static void check_text(const char *what, const char *found, const char *expected)
{
    if (!found || strcmp(found, expected) != 0)
        fail_msg("%s is \"%s\", not \"%s\"", what, found ? found : "(none)", expected);
}

static void check_always(const struct made *made, const struct descriptor *found)
{
    check_text("the kind", found->kind, made->kind);
    check_text("the target", found->target, made->target);
    assert_int_equal(found->kind_is_sure, !made->not_sure);
    assert_int_equal(found->deleted, made->deleted);
    assert_int_equal(found->watched, made->watched);
    assert_int_equal(found->other_end, made->other_end >= 0 ? made->held[made->other_end] : -1);
    assert_null(found->state);
    assert_null(found->local);
    assert_null(found->peer);
    assert_false(found->has_origin);
}

static void check_queues(const struct made *made, const struct descriptor *found)
{
    assert_int_equal(found->queues_known, made->unread >= 0);
    assert_false(found->queues_are_memory);
    if (made->unread >= 0) {
        assert_int_equal(found->unread, made->unread);
        assert_int_equal(found->unsent, made->unsent);
    }
}

static void check_details(const struct made *made, const struct descriptor *found)
{
    int flags = fcntl(made->held[0], F_GETFL) |
                (fcntl(made->held[0], F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0);
    struct stat status;
    assert_int_equal(found->flags, flags);
    assert_int_equal(found->access, made->access);
    assert_int_equal(found->position, made->position);
    if (made->has_inode) {
        assert_int_equal(fstat(made->held[0], &status), 0);
        assert_int_equal(found->inode, status.st_ino);
    }
    if (!made->detail)
        return;
    if (!found->detail || !strstr(found->detail, made->detail) ||
        (made->also && !strstr(found->detail, made->also)))
        fail_msg("the detail is \"%s\", without \"%s\"", found->detail ? found->detail : "(none)",
                 made->detail);
}

/* The same by another process, which can borrow nothing. */
static bool another_process_agrees(const struct made *made)
{
    pid_t service = getpid();
    pid_t child = fork();
    if (child != 0) {
        int status = 0;
        waitpid(child, &status, 0);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    struct target target;
    struct fd_dump *dump;
    if (target_open(&target, service) != 0 ||
        fd_source_dump(fd_source_new(&target, NULL), false, 10 * SECOND, &dump) != 0)
        _exit(2);
    const struct descriptor *found = fd_dump_find(dump, made->held[0]);
    if (!found || strcmp(found->kind, made->kind) != 0 ||
        strcmp(found->target, made->target) != 0) {
        fprintf(stderr, "from outside: %s %s\n", found ? found->kind : "none",
                found ? found->target : "");
        _exit(1);
    }
    _exit(0);
}

struct row {
    const char *name;
    bool (*make)(struct made *made);
    void (*clean)(void);
};

static struct made made;

static void test_kind(void **state)
{
    const struct row *row = *state;
    struct fd_dump *dump;
    made = (struct made){ .position = -1, .other_end = -1, .unread = -1 };
    if (!row->make(&made)) {
        print_message("not here: %s\n", strerror(errno));
        skip();
    }
    for (int with_details = 0; with_details < 2; with_details++) {
        assert_int_equal(fd_look(looker, with_details, 10 * SECOND, &dump), 0);
        assert_true(dump->listed_all);
        assert_false(dump->own_among_them);
        const struct descriptor *found = must_find(dump, made.held[0]);
        check_always(&made, found);
        check_queues(&made, found);
        if (with_details)
            check_details(&made, found);
        fd_dump_free(dump);
    }
    assert_true(another_process_agrees(&made));
}

static int clean(void **state)
{
    const struct row *row = *state;
    for (size_t i = 0; i < made.count; i++)
        close(made.held[i]);
    made.count = 0;
    if (row->clean)
        row->clean();
    return 0;
}

static struct row rows[] = {
    { "file", make_file, NULL },
    { "file, read only", make_file_read_only, NULL },
    { "file, write only", make_write_only, NULL },
    { "file, deleted", make_deleted, NULL },
    { "file, without a name", make_nameless, NULL },
    { "file, odd name", make_odd_name, NULL },
    { "file, long path", make_long_path, NULL },
    { "file, too long path", make_too_long_path, NULL },
    { "directory by open", make_directory, NULL },
    { "directory by opendir", make_opendir, NULL },
    { "directory by O_PATH", make_handle, NULL },
    { "device", make_device, NULL },
    { "terminal", make_terminal, NULL },
    { "message queue", make_queue, NULL },
    { "pipe, read end", make_pipe, NULL },
    { "pipe, write end", make_pipe_write_end, NULL },
    { "pipe, alone", make_pipe_alone, NULL },
    { "fifo", make_fifo, NULL },
    { "fifo, both ends", make_fifo_both, NULL },
    { "epoll", make_epoll, NULL },
    { "epoll in epoll", make_nested_epoll, NULL },
    { "epoll, reused number", make_epoll_stale, NULL },
    { "epoll of 300", make_big_epoll, close_big_epoll },
    { "eventfd", make_eventfd, NULL },
    { "eventfd, semaphore", make_semaphore, NULL },
    { "timerfd", make_timer, NULL },
    { "timerfd, not set", make_idle_timer, NULL },
    { "timerfd, expired", make_expired_timer, NULL },
    { "signalfd", make_signalfd, NULL },
    { "inotify", make_inotify, NULL },
    { "fanotify", make_fanotify, NULL },
    { "memfd", make_memfd, NULL },
    { "pidfd", make_pidfd, NULL },
    { "pidfd of nobody", make_pidfd_gone, NULL },
    { "io_uring", make_io_uring, NULL },
    { "namespace", make_namespace, NULL },
    { "unknown kind", make_unknown, NULL },
    { "unknown kind, plain", make_unknown_plain, NULL },
};

#define ROWS (sizeof rows / sizeof *rows)

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/snag-fds-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    looker = fd_looker_start(0, true);
    char whole[PATH_MAX];
    if (!mkdtemp(folder) || !realpath(folder, whole) || strlen(whole) >= sizeof folder)
        return -1;
    strcpy(folder, whole);
    return 0;
}

static int end(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    fd_looker_stop(looker);
    return system(command) == 0 ? 0 : -1;
}

int main(void)
{
    struct CMUnitTest tests[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, test_kind, NULL, clean, &rows[i] };
    return cmocka_run_group_tests_name("kinds of descriptors", tests, begin, end);
}
