/* test_listen.c proves that the listener comes up on the address that was asked for
 * or says why not, removes nothing that is not its own, and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "raw_http.h"
#include "workers.h"

#include <snag/snag.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char last_line[600];
static char directory[] = "/tmp/snag-listen.XXXXXX";

static void keep_line(const char *line, void *user)
{
    (void)user;
    snprintf(last_line, sizeof last_line, "%s", line);
}

static int start_on(const char *listen, const char *token)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = listen;
    options.token = token;
    options.log = keep_line;
    last_line[0] = 0;
    return snag_start(&options);
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return rmdir(directory); /* fails when a test has left something in it */
}

static int stop(void **state)
{
    (void)state;
    snag_stop();
    return 0;
}

static void answers(void)
{
    struct http_reply reply;
    assert_non_null(snag_address());
    assert_int_equal(raw_ask(snag_address(), &reply,
                             "GET /debug/vars HTTP/1.1\r\nHost: localhost\r\n"
                             "Connection: close\r\n\r\n"),
                     0);
    assert_int_equal(reply.status, 200);
    http_reply_free(&reply);
}

static void refused(const char *listen, int status, const char *part)
{
    int got = start_on(listen, NULL);
    if (got != status || !strstr(last_line, part) || snag_address())
        fail_msg("%s: %d, \"%s\"; not %d with \"%s\"", listen, got, last_line, status, part);
    assert_null(strchr(last_line, '\n'));
}

static void test_what_is_no_address(void **state)
{
    (void)state;
    static const char *const table[] = {
        "6060",
        "localhost",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1: 80",
        "127.0.0.1:80 ",
        "127.0.0.1:+80",
        "127.0.0.1:000080",
        "127.0.0.1:6079-6060",
        "127.0.0.1:6060-",
        "127.0.0.1:-6060",
        "127.0.0.1:0-10",
        "127.0.0.1:1-2-3",
        "127.1:0",
        "0x7f.0.0.1:0",
        "127.0.0.256:0",
        "127.0.0.1.1:0",
        "example.com:0",
        "[::1]",
        "[::1:0",
        "::1:0",
        "[::1%lo]:0",
        "[]:0",
        "[127.0.0.1]:0",
        "unix:",
        "unix:relative.sock",
        "unix:@abstract",
        "unix:/tmp/",
        "http://localhost:6060",
        "OFF",
        "*:6060",
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        refused(table[i], -EINVAL, "127.0.0.1:6060-6079, [::1]:6060, unix:/path.%p.sock or off");
        assert_non_null(strstr(last_line, "snag_options.listen=\""));
        assert_non_null(strstr(last_line, table[i]));
    }
    char longest[300] = "unix:/tmp/";
    memset(longest + 10, 'a', 150);
    refused(longest, -ENAMETOOLONG, "107 bytes");
}

static void test_ports(void **state)
{
    (void)state;
    static const struct {
        const char *listen, *address;
    } table[] = {
        { "127.0.0.1:0", "127.0.0.1:" }, { ":0", "127.0.0.1:" },
        { "localhost:0", "127.0.0.1:" }, { "LOCALHOST:0", "127.0.0.1:" },
        { "127.3.2.1:0", "127.3.2.1:" }, { "127.0.0.1:20000-40000", "127.0.0.1:" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(start_on(table[i].listen, NULL), 0);
        assert_string_equal(last_line, "");
        assert_int_equal(strncmp(snag_address(), table[i].address, strlen(table[i].address)), 0);
        assert_true(atoi(snag_address() + strlen(table[i].address)) > 0);
        answers();
        snag_stop();
        assert_null(snag_address());
    }
}

static void test_ipv6(void **state)
{
    (void)state;
    int status = start_on("[::1]:0", NULL);
    if (status == -EAFNOSUPPORT || status == -EADDRNOTAVAIL) {
        assert_true(strstr(last_line, "IPv6") || strstr(last_line, "no network interface"));
        skip(); /* a machine without it */
    }
    assert_int_equal(status, 0);
    assert_int_equal(strncmp(snag_address(), "[::1]:", 6), 0);
    answers();
}

/* 127.0.0.1 as an IPv6 address is as near; other IPv4 addresses are as far as ever. */
static void test_ipv4_in_ipv6(void **state)
{
    (void)state;
    refused("[::ffff:10.0.0.1]:0", -EACCES, "SNAG_TOKEN");
    refused("[::ffff:0.0.0.0]:0", -EACCES, "SNAG_TOKEN");
    int status = start_on("[::ffff:127.0.0.1]:0", NULL);
    if (status == -EAFNOSUPPORT || status == -EADDRNOTAVAIL)
        skip(); /* a machine without IPv6 */
    assert_int_equal(status, 0);
    assert_int_equal(strncmp(snag_address(), "[::ffff:127.0.0.1]:", 19), 0);
    answers();
}

static int take_port(int *port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
    *port = ntohs(name.sin_port);
    return fd;
}

static void test_a_port_that_is_taken(void **state)
{
    (void)state;
    int port;
    int fd = take_port(&port);
    char listen[64];
    snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    refused(listen, -EADDRINUSE, listen);
    refused(listen, -EADDRINUSE, "in use");
    snprintf(listen, sizeof listen, "127.0.0.1:%d-%d", port, port);
    refused(listen, -EADDRINUSE, "in use");
    /* Of a range the next one that is free. */
    snprintf(listen, sizeof listen, "127.0.0.1:%d-%d", port,
             port + 200 < 65536 ? port + 200 : 65535);
    if (port < 65000) {
        assert_int_equal(start_on(listen, NULL), 0);
        assert_true(atoi(snag_address() + 10) > port);
        answers();
    }
    close(fd);
}

static void test_addresses_that_cannot_be_had(void **state)
{
    (void)state;
    refused("192.0.2.1:0", -EACCES, "SNAG_TOKEN");
    refused("0.0.0.0:6060", -EACCES, "SNAG_TOKEN");
    refused("[::]:6060", -EACCES, "SNAG_TOKEN");
    assert_int_equal(start_on("192.0.2.1:0", "t"), -EADDRNOTAVAIL);
    assert_non_null(strstr(last_line, "no network interface of this machine"));
    setenv("SNAG_LISTEN", "127.0.0.1:x", 1);
    assert_int_equal(start_on("127.0.0.1:0", NULL), -EINVAL);
    unsetenv("SNAG_LISTEN");
    assert_non_null(strstr(last_line, "SNAG_LISTEN=\"127.0.0.1:x\""));
}

static void socket_path(char *listen, size_t size, const char *name)
{
    snprintf(listen, size, "unix:%s/%s", directory, name);
}

static void test_a_unix_socket_is_for_its_owner_alone(void **state)
{
    (void)state;
    static const mode_t masks[] = { 0, 022, 077 };
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        char listen[128], expected[128];
        struct stat file;
        socket_path(listen, sizeof listen, "a.%p.%%x.%p.sock");
        snprintf(expected, sizeof expected, "unix:%s/a.%d.%%%%x.%d.sock", directory, (int)getpid(),
                 (int)getpid());
        mode_t before = umask(masks[i]);
        assert_int_equal(start_on(listen, NULL), 0);
        assert_int_equal(umask(before), masks[i]);
        assert_string_equal(snag_address(), expected);
        assert_int_equal(stat(expected + 5, &file), 0);
        assert_int_equal(file.st_mode, S_IFSOCK | 0600);
        answers();
        snag_stop();
        assert_int_equal(stat(expected + 5, &file), -1);
    }
}

static struct sockaddr_un name_of(const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    assert_true(strlen(path) < sizeof name.sun_path);
    memcpy(name.sun_path, path, strlen(path));
    return name;
}

/* A socket file whose owner has gone. */
static void leave_stale(const char *path, int type)
{
    struct sockaddr_un name = name_of(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
}

static void test_a_stale_socket_is_replaced(void **state)
{
    (void)state;
    char listen[128];
    socket_path(listen, sizeof listen, "stale.sock");
    leave_stale(listen + 5, SOCK_STREAM);
    assert_int_equal(start_on(listen, NULL), 0);
    answers();
}

static void test_a_live_socket_is_not(void **state)
{
    (void)state;
    char path[128];
    socket_path(path, sizeof path, "live.sock");
    struct sockaddr_un name = name_of(path + 5);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 0), 0);
    refused(path, -EADDRINUSE, "somebody listens there already");
    int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    connect(waiting, (struct sockaddr *)&name,
            sizeof name); /* if not before, the queue is full now */
    refused(path, -EADDRINUSE, "somebody listens there already");
    close(waiting);
    close(fd);
    assert_int_equal(access(path + 5, F_OK), 0);
    unlink(path + 5);
}

static void test_what_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    char path[128], target[128], text[8] = "";
    struct stat file;
    socket_path(path, sizeof path, "file");
    int fd = open(path + 5, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "kept", 4), 4);
    close(fd);
    refused(path, -EADDRINUSE, "it is not a socket");
    fd = open(path + 5, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, 4), 4);
    close(fd);
    assert_string_equal(text, "kept");

    /* Not even one that points at a stale socket. */
    snprintf(target, sizeof target, "%s/target", directory);
    leave_stale(target, SOCK_STREAM);
    unlink(path + 5);
    assert_int_equal(symlink(target, path + 5), 0);
    refused(path, -EADDRINUSE, "it is not a socket");
    assert_int_equal(lstat(path + 5, &file), 0);
    assert_true(S_ISLNK(file.st_mode));
    unlink(path + 5);
    unlink(target);

    socket_path(path, sizeof path, "no/such/directory.sock");
    refused(path, -ENOENT, path);
}

/* A service that was started anew at the same path keeps its file. */
static void test_only_the_own_socket_is_removed(void **state)
{
    (void)state;
    char path[128];
    socket_path(path, sizeof path, "mine.sock");
    assert_int_equal(start_on(path, NULL), 0);
    assert_int_equal(unlink(path + 5), 0);
    leave_stale(path + 5, SOCK_STREAM);
    snag_stop();
    assert_int_equal(unlink(path + 5), 0);
}

/* Two that start at once at a stale path: one gets it, the other is told. */
static void test_two_start_at_one_stale_socket(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        char path[128];
        int go[2], done[2];
        pid_t children[2];
        socket_path(path, sizeof path, "raced.sock");
        unlink(path + 5);
        leave_stale(path + 5, SOCK_STREAM);
        assert_int_equal(pipe(go), 0);
        assert_int_equal(pipe(done), 0);
        for (int i = 0; i < 2; i++) {
            if ((children[i] = fork()) == 0) {
                char byte;
                close(go[1]);
                close(done[1]);
                read(go[0], &byte, 1);
                int status = start_on(path, NULL);
                int answer = status == 0 ? 10 : status == -EADDRINUSE ? 20 : 30;
                if (write(STDERR_FILENO, "", 0) == 0 && status == 0)
                    read(done[0], &byte, 1); /* stays until the other has had its try */
                _exit(answer);
            }
        }
        close(go[0]);
        close(go[1]);
        close(done[0]);
        int sum = 0, status;
        assert_true(wait(&status) > 0); /* the one that was refused */
        sum += WEXITSTATUS(status);
        struct http_reply reply;
        assert_int_equal(raw_ask(path, &reply, "GET /debug/vars HTTP/1.0\r\n\r\n"), 0);
        http_reply_free(&reply);
        close(done[1]);
        assert_true(wait(&status) > 0);
        sum += WEXITSTATUS(status);
        assert_int_equal(sum, 30);
        unlink(path + 5);
    }
}

/* While somebody else is about to bind in the directory, his check and ours must not
 * come to the same result; but nobody is waited for without end. */
static void test_the_directory_is_locked_meanwhile(void **state)
{
    (void)state;
    char path[128];
    socket_path(path, sizeof path, "locked.sock");
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    uint64_t before = now_ns();
    assert_int_equal(start_on(path, NULL), 0);
    uint64_t waited = now_ns() - before;
    assert_true(waited > 400000000);
    close(fd);
    snag_stop();
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(start_on(path, NULL), 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0); /* and is free afterwards */
    close(fd);
}

static void test_off_is_no_listener(void **state)
{
    (void)state;
    assert_int_equal(start_on("off", NULL), 0);
    assert_null(snag_address());
    assert_int_equal(start_on("off", NULL), 0);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(snag_write("threads", null, 0), 0);
    close(null);
    snag_stop();
}

static int count_entries(const char *path)
{
    int count = 0;
    DIR *list = opendir(path);
    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

/* Resident memory that is not a file's, in kB. */
static long anonymous_kb(void)
{
    char line[256];
    long size = -1;
    FILE *file = fopen("/proc/self/status", "re");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %ld", &size) == 1)
            break;
    fclose(file);
    return size;
}

/* Threads beside the main one: a sanitizer has one of its own once there are threads. */
static int sanitizer_tasks;

static void *nothing(void *unused)
{
    return unused;
}

static void count_sanitizer_tasks(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, nothing, NULL);
    pthread_join(thread, NULL);
    usleep(300000); /* one that was joined may still be on its way out */
    sanitizer_tasks = count_entries("/proc/self/task") - 3;
}

/* A thread that has been joined may still be on its way out: then it is waited for. */
static int count_tasks(void)
{
    int tasks = 0;
    for (int i = 0; i < 100 && tasks != 1; i++) {
        usleep(10000);
        tasks = count_entries("/proc/self/task") - 2 - sanitizer_tasks;
    }
    return tasks;
}

/* The listener's thread: its file of counters, to be read when nothing can be opened. */
static int open_counters(void)
{
    char path[300];
    char name[32];
    DIR *tasks = opendir("/proc/self/task");
    int found = -1;
    for (struct dirent *entry; found < 0 && (entry = readdir(tasks));) {
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd >= 0 ? read(fd, name, sizeof name) : -1;
        if (fd >= 0)
            close(fd);
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        if (length == 5 && memcmp(name, "snag\n", 5) == 0)
            found = open(path, O_RDONLY | O_CLOEXEC);
    }
    closedir(tasks);
    return found;
}

static long sleeps_of(int counters)
{
    static const char key[] = "\nvoluntary_ctxt_switches:";
    char text[4096];
    ssize_t length = pread(counters, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = 0;
    const char *line = strstr(text, key);
    return line ? atol(line + strlen(key)) : -1;
}

/* A client waits; none can be accepted as long as the limit is so low. */
static void test_no_descriptor_for_a_client(void **state)
{
    (void)state;
    struct rlimit before;
    struct http_reply reply;
    assert_int_equal(start_on("127.0.0.1:0", NULL), 0);
    answers();
    int counters = open_counters();
    if (counters < 0)
        skip(); /* under a sanitizer the name may be another */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = { 3, before.rlim_max };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    address.sin_port = htons((in_port_t)atoi(strchr(snag_address(), ':') + 1));
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    sleep_ms(500);
    long count = sleeps_of(counters);
    sleep_ms(4000); /* it asks after 0.1 s, 1 s, 2 s, 4 s */
    count = sleeps_of(counters) - count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(raw_send_text(client, "GET /debug/vars HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    int status = raw_reply(client, false, &reply);
    close(client);
    close(counters);
    if (count < 0 || count > 6)
        fail_msg("woken %ld times in 4 s", count);
    assert_int_equal(status, 0);
    assert_int_equal(reply.status, 200);
    http_reply_free(&reply);
}

static void start_use_stop(int rounds)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < rounds; i++) {
        assert_int_equal(start_on("127.0.0.1:0", NULL), 0);
        answers();
        assert_int_equal(snag_write("threads", null, i % 3), 0);
        snag_stop();
        if (i % 4 == 0)
            assert_int_equal(snag_write("threads", null, 0), 0); /* has an engine start, too */
    }
    close(null);
}

static void test_nothing_is_left_after_two_hundred_starts(void **state)
{
    (void)state;
    bool is_sanitized =
        atoi(getenv("SNAG_ENGINE_IS_LINKED") ? getenv("SNAG_ENGINE_IS_LINKED") : "0");
    start_use_stop(20);
    int descriptors = count_entries("/proc/self/fd");
    assert_int_equal(count_tasks(), 1);
    long before = anonymous_kb();
    start_use_stop(200);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_int_equal(count_tasks(), 1);
    long grown = anonymous_kb() - before;
    print_message("grown by %ld kB\n", grown);
    if (!is_sanitized && grown > 400)
        fail_msg("%ld kB more after 200 starts", grown);
}

int main(void)
{
    count_sanitizer_tasks();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_is_no_address, stop),
        cmocka_unit_test_teardown(test_ports, stop),
        cmocka_unit_test_teardown(test_ipv6, stop),
        cmocka_unit_test_teardown(test_ipv4_in_ipv6, stop),
        cmocka_unit_test_teardown(test_a_port_that_is_taken, stop),
        cmocka_unit_test_teardown(test_addresses_that_cannot_be_had, stop),
        cmocka_unit_test_teardown(test_a_unix_socket_is_for_its_owner_alone, stop),
        cmocka_unit_test_teardown(test_a_stale_socket_is_replaced, stop),
        cmocka_unit_test_teardown(test_a_live_socket_is_not, stop),
        cmocka_unit_test_teardown(test_what_is_no_socket_is_left_alone, stop),
        cmocka_unit_test_teardown(test_only_the_own_socket_is_removed, stop),
        cmocka_unit_test_teardown(test_two_start_at_one_stale_socket, stop),
        cmocka_unit_test_teardown(test_the_directory_is_locked_meanwhile, stop),
        cmocka_unit_test_teardown(test_no_descriptor_for_a_client, stop),
        cmocka_unit_test_teardown(test_off_is_no_listener, stop),
        cmocka_unit_test_teardown(test_nothing_is_left_after_two_hundred_starts, stop),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
