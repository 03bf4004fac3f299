/* test_fds_trouble.c proves that descriptors are listed right when things are not: the table
 * full or full of gaps, others opening and closing all the while, the first thread gone, a file
 * system that does not answer any more, no time left, no table of the listener's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "fd_look.h"
#include "workers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

static struct fd_looker *looker;

static struct fd_dump *must_look(bool with_details)
{
    struct fd_dump *dump;
    assert_int_equal(fd_look(looker, with_details, 10 * SECOND, &dump), 0);
    assert_true(dump->listed_all);
    for (size_t i = 1; i < dump->count; i++)
        assert_true(dump->descriptors[i - 1].fd < dump->descriptors[i].fd);
    return dump;
}

/* Every number that is open, asked one by one, against the dump. */
static void check_numbers(int up_to)
{
    struct fd_dump *dump = must_look(false);
    size_t count = 0;
    for (int fd = 0; fd < up_to; fd++) {
        bool is_open = fcntl(fd, F_GETFD) >= 0;
        if (is_open != (fd_dump_find(dump, fd) != NULL))
            fail_msg("fd %d is %s, and the dump says otherwise", fd, is_open ? "open" : "closed");
        count += is_open;
    }
    assert_int_equal(dump->count, count);
    assert_int_equal(fd_look_count(looker), count);
    fd_dump_free(dump);
}

static void close_from(int first, int up_to)
{
    for (int fd = first; fd < up_to; fd++)
        close(fd);
}

static void test_gaps(void **state)
{
    (void)state;
    enum { FIRST = 20, LAST = 900 };
    int null = open("/dev/null", O_RDONLY);
    for (int fd = FIRST; fd < LAST; fd++)
        assert_int_equal(dup2(null, fd), fd);
    check_numbers(LAST + 200);
    close(FIRST + 500); /* one gap */
    check_numbers(LAST + 200);
    close_from(FIRST + 100, FIRST + 300); /* a wide one */
    check_numbers(LAST + 200);
    for (int fd = FIRST; fd < LAST; fd += 2) /* every other */
        close(fd);
    check_numbers(LAST + 200);
    for (int fd = FIRST + 1; fd < LAST; fd += 4) /* three of four */
        close(fd);
    check_numbers(LAST + 200);
    assert_int_equal(dup2(null, LAST + 100), LAST + 100); /* one far away */
    close_from(FIRST, LAST);
    check_numbers(LAST + 200);
    close(LAST + 100);
    close(null);
    check_numbers(LAST + 200);
}

static void test_full_table(void **state)
{
    (void)state;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    const struct rlimit little = { 256, before.rlim_max };
    setrlimit(RLIMIT_NOFILE, &little);
    int last = -1;
    for (int fd; (fd = eventfd(0, 0)) >= 0;)
        last = fd;
    assert_int_equal(errno, EMFILE);
    for (int with_details = 0; with_details < 2; with_details++) {
        struct fd_dump *dump = must_look(with_details);
        assert_int_equal(dump->limit, 256);
        assert_int_equal(dump->count, 256);
        assert_string_equal(fd_dump_find(dump, last)->kind, "eventfd");
        fd_dump_free(dump);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    close_from(20, 256);
}

static _Atomic int opened_and_closed;

/* Opens a few of each, and closes them. */
static void come_and_go(struct worker *worker)
{
    while (!worker->stop) {
        int pair[2];
        int ends[2];
        int files[20];
        for (int i = 0; i < 20; i++)
            files[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
            close(pair[0]);
            close(pair[1]);
        }
        if (pipe2(ends, O_CLOEXEC) == 0) {
            close(ends[0]);
            close(ends[1]);
        }
        for (int i = 0; i < 20; i++)
            close(files[i]);
        opened_and_closed += 24;
    }
}

enum { HELD = 300 };

/* What is open all the while is there, each time, as what it is. */
static void check_held(const int held[HELD], bool with_details)
{
    static const char *const kinds[] = { "eventfd", "unix", "device" };
    struct fd_dump *dump = must_look(with_details);
    for (int i = 0; i < HELD; i++) {
        const struct descriptor *found = fd_dump_find(dump, held[i]);
        if (!found || strcmp(found->kind, kinds[i % 3]) != 0)
            fail_msg("fd %d is %s, not %s", held[i], found ? found->kind : "missing", kinds[i % 3]);
        if (i % 3 == 1)
            assert_string_equal(found->state, "unconnected");
    }
    fd_dump_free(dump);
}

static void test_others_come_and_go(void **state)
{
    (void)state;
    int held[HELD];
    struct worker workers[4];
    for (int i = 0; i < HELD; i++) { /* spread among what comes and goes */
        held[i] = i % 3 == 0   ? eventfd(0, 0)
                  : i % 3 == 1 ? socket(AF_UNIX, SOCK_STREAM, 0)
                               : open("/dev/null", O_RDONLY);
        assert_int_equal(dup2(held[i], 100 + 3 * i), 100 + 3 * i);
    }
    for (int i = 0; i < HELD; i++) {
        if (held[i] < 100)
            close(held[i]);
        held[i] = 100 + 3 * i;
    }
    for (int i = 0; i < 4; i++)
        worker_start(&workers[i], come_and_go, NULL, 0);
    uint64_t until = now_ns() + 3 * SECOND;
    int dumps = 0;
    for (; now_ns() < until || dumps < 20; dumps++)
        check_held(held, dumps % 4 == 3);
    for (int i = 0; i < 4; i++)
        worker_stop(&workers[i]);
    assert_true(opened_and_closed > 1000);
    close_from(20, 100 + 3 * HELD + 10);
}

static void test_no_time(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    int files[COUNT];
    struct fd_dump *dump;
    for (int i = 0; i < COUNT; i++)
        files[i] = open("/dev/null", O_RDONLY);
    struct fd_dump *all = must_look(false);
    assert_int_equal(all->not_looked_at, 0);
    assert_int_equal(fd_look(looker, true, 0, &dump), 0);
    assert_int_equal(dump->count, all->count);
    assert_true(dump->not_looked_at > COUNT / 2);
    assert_string_equal(fd_dump_find(dump, files[COUNT - 1])->kind, "unknown");
    fd_dump_free(dump);
    fd_dump_free(all);
    for (int i = 0; i < COUNT; i++)
        close(files[i]);
}

/* The listener's own are then among the others, which is said; and nothing is borrowed, as a
 * child of fork would inherit it. */
static void test_no_own_table(void **state)
{
    (void)state;
    int ends[2];
    struct fd_dump *dump;
    struct fd_looker *sharing = fd_looker_start(0, false);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    assert_int_equal(fd_look(sharing, false, 10 * SECOND, &dump), 0);
    assert_true(dump->own_among_them);
    assert_false(fd_dump_find(dump, ends[0])->queues_known);
    assert_int_equal(fd_dump_find(dump, ends[0])->other_end, ends[1]);
    fd_dump_free(dump);
    fd_looker_stop(sharing);
    dump = must_look(false);
    assert_false(dump->own_among_them);
    assert_true(fd_dump_find(dump, ends[0])->queues_known);
    assert_int_equal(fd_dump_find(dump, ends[0])->unread, 5);
    fd_dump_free(dump);
    close(ends[0]);
    close(ends[1]);
}

/* ---- in processes of their own ---- */

static bool leader_has_exited(void)
{
    char text[512] = { 0 };
    for (int i = 0; i < 5000; i++) {
        int fd = open("/proc/self/stat", O_RDONLY);
        ssize_t length = read(fd, text, sizeof text - 1);
        close(fd);
        text[length > 0 ? length : 0] = 0;
        const char *end = strrchr(text, ')');
        if (end && end[2] == 'Z')
            return true;
        usleep(1000);
    }
    return false;
}

static int kept[4];

static bool sees_kept(struct fd_looker *other)
{
    static const char *const kinds[] = { "eventfd", "device", "unix", "unix" };
    struct fd_dump *dump;
    if (fd_look(other, true, 10 * SECOND, &dump) != 0 || !dump->listed_all)
        return false;
    for (int i = 0; i < 4; i++) {
        const struct descriptor *found = fd_dump_find(dump, kept[i]);
        if (!found || strcmp(found->kind, kinds[i]) != 0) {
            fprintf(stderr, "fd %d is %s, not %s\n", kept[i], found ? found->kind : "missing",
                    kinds[i]);
            return false;
        }
    }
    return (long)dump->count == fd_look_count(other) && dump->limit > 0;
}

static void *outlive_the_leader(void *argument)
{
    (void)argument;
    struct fd_looker *other = fd_looker_start(0, true);
    bool good = sees_kept(other) && leader_has_exited();
    for (int i = 0; i < 3; i++)
        good = good && sees_kept(other);
    _exit(good ? 0 : 1);
}

/* Ends the first thread; the table lives on in the other. */
static void play_leader_exits(void)
{
    pthread_t thread;
    alarm(60);
    kept[0] = eventfd(0, 0);
    kept[1] = open("/dev/null", O_RDONLY);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, &kept[2]) != 0 ||
        pthread_create(&thread, NULL, outlive_the_leader, NULL) != 0)
        _exit(2);
    pthread_exit(NULL);
}

enum { CANNOT = 77 };

/* Whether stat() of FD, by a child, does not come back. */
static bool hangs_in_stat(int fd)
{
    pid_t child = fork();
    if (child == 0) {
        struct stat status;
        fstat(fd, &status);
        _exit(0);
    }
    usleep(500000);
    bool hangs = waitpid(child, NULL, WNOHANG) == 0;
    kill(child, SIGKILL);
    return hangs;
}

/* A file system whose server has never answered: every question to it waits for ever. */
static void play_dead_mount(void)
{
    char folder[] = "/tmp/snag-dead-XXXXXX";
    char options[128];
    alarm(60);
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (device < 0 || !mkdtemp(folder) || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("snag-dead", folder, "fuse", 0, options) != 0)
        _exit(CANNOT);
    int dead = open(folder, O_PATH);
    int detached = open(folder, O_PATH);
    bool good = dead >= 0 && detached >= 0 && hangs_in_stat(dead);
    struct fd_looker *other = fd_looker_start(0, true);
    for (int round = 0; good && round < 4; round++) {
        struct fd_dump *dump;
        uint64_t before = now_ns();
        good = fd_look(other, round % 2, 5 * SECOND, &dump) == 0;
        const struct descriptor *found = good ? fd_dump_find(dump, dead) : NULL;
        good = good && found && strcmp(found->target, round < 2 ? folder : "/") == 0 &&
               !found->kind_is_sure && now_ns() - before < 2 * SECOND;
        if (!good)
            fprintf(stderr, "round %d: %s, sure %d\n", round, found ? found->target : "missing",
                    found ? found->kind_is_sure : -1);
        if (round == 1)
            umount2(folder, MNT_DETACH); /* open, and in no list of mounts any more */
    }
    umount2(folder, MNT_DETACH);
    close(device); /* whoever waits gets an error */
    rmdir(folder);
    _exit(good ? 0 : 1);
}

static const char *program;

static int play(const char *scene)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execl(program, program, scene, (char *)NULL);
        _exit(3);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_leader_exits(void **state)
{
    (void)state;
    assert_int_equal(play("leader-exits"), 0);
}

static void test_dead_mount(void **state)
{
    (void)state;
    int status = play("dead-mount");
    if (status == CANNOT)
        skip();
    assert_int_equal(status, 0);
}

static int begin(void **state)
{
    (void)state;
    looker = fd_looker_start(0, true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fd_looker_stop(looker);
    return 0;
}

int main(int count, char **arguments)
{
    program = "/proc/self/exe";
    if (count > 1 && strcmp(arguments[1], "leader-exits") == 0)
        play_leader_exits();
    if (count > 1 && strcmp(arguments[1], "dead-mount") == 0)
        play_dead_mount();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_others_come_and_go),
        cmocka_unit_test(test_no_time),
        cmocka_unit_test(test_no_own_table),
        cmocka_unit_test(test_leader_exits),
        cmocka_unit_test(test_dead_mount),
    };
    return cmocka_run_group_tests_name("descriptors in trouble", tests, begin, end);
}
