/* test_http.c proves that every path answers as net/http/pprof's user expects:
 * status, type, headers, and what is in the reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "profile_check.h"
#include "raw_http.h"
#include "workers.h"

#include <snag/snag.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS 3
#define REST " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

static struct worker workers[WORKERS];
static int others; /* this thread and, with a sanitizer, one of its own */

static int count_threads(void)
{
    int count = 0;
    DIR *list = opendir("/proc/self/task");
    struct dirent *entry;
    while ((entry = readdir(list)))
        count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

/* The number of threads that a dump has, between BEFORE and AFTER. */
static const char *with_count(const char *before, const char *after)
{
    static char text[128];
    snprintf(text, sizeof text, "%s%d%s", before, WORKERS + others, after);
    return text;
}

static int start(void **state)
{
    (void)state;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    for (int i = 0; i < WORKERS; i++) {
        worker_start(&workers[i], hang, NULL, 0);
        wait_for_state(workers[i].tid, 'S');
    }
    others = count_threads() - WORKERS;
    return snag_start(&options);
}

static int stop(void **state)
{
    (void)state;
    snag_stop();
    for (int i = 0; i < WORKERS; i++)
        worker_stop(&workers[i]);
    return 0;
}

static void get(const char *path, int status, struct http_reply *reply)
{
    assert_int_equal(raw_ask(snag_address(), reply, "GET %s" REST, path), 0);
    if (reply->status != status)
        fail_msg("%s: status %d, not %d: %s", path, reply->status, status, reply->body);
}

static void has_header(const struct http_reply *reply, const char *name, const char *expected)
{
    char value[512];
    if (!raw_header(reply, name, value, sizeof value))
        fail_msg("no %s in\n%s", name, reply->head);
    assert_string_equal(value, expected);
}

static void has_no_header(const struct http_reply *reply, const char *name)
{
    char value[512];
    if (raw_header(reply, name, value, sizeof value))
        fail_msg("%s: %s in a reply that should have none", name, value);
}

static void says(const struct http_reply *reply, const char *text)
{
    if (!strstr(reply->body, text))
        fail_msg("\"%s\" is not in\n%s", text, reply->body);
}

/* What every error promises: plain text, one line, the mark that pprof looks for. */
static void is_error(const struct http_reply *reply, int status)
{
    if (reply->status != status)
        fail_msg("status %d, not %d: %s", reply->status, status, reply->body);
    has_header(reply, "Content-Type", "text/plain; charset=utf-8");
    has_header(reply, "X-Go-Pprof", "1");
    has_no_header(reply, "Content-Disposition");
    assert_true(reply->length > 10);
    assert_ptr_equal(strchr(reply->body, '\n'), reply->body + reply->length - 1);
}

static void test_every_reply_carries_the_headers_that_guard_it(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *request;
    } table[] = {
        { 200, "GET /" REST },
        { 200, "GET /debug/" REST },
        { 301, "GET /debug/pprof" REST },
        { 200, "GET /debug/pprof/" REST },
        { 200, "GET /debug/pprof/threads" REST },
        { 200, "GET /debug/pprof/cmdline" REST },
        { 200, "GET /debug/pprof/symbol" REST },
        { 200, "GET /debug/threads?format=json" REST },
        { 200, "GET /debug/vars" REST },
        { 400, "GET /debug/pprof/threads?debug=9" REST },
        { 400, "garbage\r\n" },
        { 400, "\x16\x03\x01\x02\x00\x01" },
        { 400, "GET / HTTP/1.1\r\n\r\n" },
        { 403, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n" },
        { 404, "GET /nothing" REST },
        { 405, "DELETE /" REST },
        { 405, "BREW /" REST },
        { 411, "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\n"
               "Transfer-Encoding: chunked\r\n\r\n" },
        { 413, "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\n"
               "Content-Length: 65537\r\n\r\n" },
        { 505, "PRI * HTTP/2.0\r\n\r\n" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct http_reply reply;
        assert_int_equal(raw_ask(snag_address(), &reply, "%s", table[i].request), 0);
        if (reply.status != table[i].status)
            fail_msg("%s: %s%s", table[i].request, reply.head, reply.body);
        has_header(&reply, "X-Content-Type-Options", "nosniff");
        has_header(&reply, "Cache-Control", "no-store");
        if (table[i].status >= 400)
            is_error(&reply, table[i].status);
        http_reply_free(&reply);
    }
}

static void test_a_profile_is_what_pprof_expects(void **state)
{
    (void)state;
    static const char *const names[] = { "threads", "goroutine" };
    for (int i = 0; i < 2; i++) {
        char path[64], disposition[80];
        struct http_reply reply;
        snprintf(path, sizeof path, "/debug/pprof/%s", names[i]);
        snprintf(disposition, sizeof disposition, "attachment; filename=\"%s.pb.gz\"", names[i]);
        get(path, 200, &reply);
        has_header(&reply, "Content-Type", "application/octet-stream");
        has_header(&reply, "Content-Disposition", disposition);
        has_no_header(&reply, "X-Go-Pprof");
        const char *wrong = profile_check(reply.body, reply.length);
        if (wrong)
            fail_msg("%s: %s", path, wrong);
        http_reply_free(&reply);
    }
}

/* How many threads, and how many samples they are merged into. */
static void count_samples(const char *path, size_t *samples, int64_t *threads)
{
    struct http_reply reply;
    get(path, 200, &reply);
    Perftools__Profiles__Profile *profile = profile_read(reply.body, reply.length);
    assert_non_null(profile);
    *samples = profile->n_sample;
    *threads = 0;
    for (size_t i = 0; i < profile->n_sample; i++)
        *threads += profile->sample[i]->value[0];
    perftools__profiles__profile__free_unpacked(profile, NULL);
    http_reply_free(&reply);
}

static void test_tid_keeps_threads_apart(void **state)
{
    (void)state;
    size_t merged, apart;
    int64_t threads;
    count_samples("/debug/pprof/threads?tid=0&gc=1", &merged, &threads);
    assert_int_equal(threads, WORKERS + others);
    assert_int_equal(merged, 1 + others); /* the workers are one */
    count_samples("/debug/pprof/threads?tid=1", &apart, &threads);
    assert_int_equal(threads, WORKERS + others);
    assert_int_equal(apart, WORKERS + others);
}

static void test_text_forms(void **state)
{
    (void)state;
    struct http_reply reply;
    char block[64];
    get("/debug/pprof/threads?debug=1", 200, &reply);
    has_header(&reply, "Content-Type", "text/plain; charset=utf-8");
    has_no_header(&reply, "Content-Disposition");
    says(&reply, with_count("threads profile: total ", "\n"));
    says(&reply, "\n3 @ 0x");
    http_reply_free(&reply);
    get("/debug/pprof/threads?debug=2", 200, &reply);
    for (int i = 0; i < WORKERS; i++) {
        snprintf(block, sizeof block, "\nthread %d \"", (int)workers[i].tid);
        says(&reply, block);
    }
    http_reply_free(&reply);
    get("/debug/threads", 200, &reply);
    says(&reply, with_count("", " threads"));
    says(&reply, "3 threads in futex");
    http_reply_free(&reply);
    get("/debug/threads?format=text", 200, &reply);
    says(&reply, "3 threads in futex");
    http_reply_free(&reply);
    get("/debug/threads?format=json", 200, &reply);
    has_header(&reply, "Content-Type", "application/json; charset=utf-8");
    assert_int_equal(reply.body[0], '{');
    says(&reply, with_count("\"count\": ", ","));
    http_reply_free(&reply);
}

static void test_snag_write_gives_the_same_bytes(void **state)
{
    (void)state;
    char by_call[8192] = "";
    struct http_reply reply;
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(snag_write("goroutine", file, 1), 0);
    assert_true(pread(file, by_call, sizeof by_call - 1, 0) > 0);
    close(file);
    get("/debug/pprof/threads?debug=1", 200, &reply);
    /* All but the asking thread, which hangs in another call, and comes after the workers. */
    char *end = strstr(reply.body, "\n1 @");
    assert_non_null(end);
    assert_int_equal(strncmp(reply.body, by_call, (size_t)(end - reply.body)), 0);
    http_reply_free(&reply);
    assert_int_equal(snag_write("nothing", 1, 0), -ENOENT);
    assert_int_equal(snag_write("cmdline", 1, 0), -ENOENT);
    assert_int_equal(snag_write("threads", 1, 3), -EINVAL);
    assert_int_equal(snag_write("threads", 1, -1), -EINVAL);
    assert_int_equal(snag_write("threads", -1, 0), -EBADF);
}

/* A log that nobody reads any more is an error, not the end of the service. */
static void test_broken_pipe_is_an_error(void **state)
{
    (void)state;
    int ends[2];
    sigset_t pending;
    sigset_t sigpipe;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(snag_write("threads", ends[1], 2), -EPIPE);
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
    /* One that the service has pending is left to it. */
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, NULL);
    raise(SIGPIPE);
    assert_int_equal(snag_write("threads", ends[1], 2), -EPIPE);
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 1);
    signal(SIGPIPE, SIG_IGN); /* takes it away */
    pthread_sigmask(SIG_UNBLOCK, &sigpipe, NULL);
    close(ends[1]);
}

static void test_head_is_get_without_the_body(void **state)
{
    (void)state;
    static const char *const paths[] = { "/", "/debug/pprof/", "/debug/pprof/threads",
                                         "/debug/pprof/cmdline", "/nothing" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct http_reply head, got;
        char length[32];
        int fd = raw_connect(snag_address(), 10);
        char request[128];
        snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\n", paths[i]);
        assert_true(raw_send_text(fd, request));
        assert_int_equal(raw_reply(fd, true, &head), 0);
        assert_true(raw_header(&head, "Content-Length", length, sizeof length));
        assert_true(atoi(length) > 0);
        /* Nothing of a body follows: the next reply on this connection is whole. */
        assert_true(raw_send_text(fd, "GET /debug/vars HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_int_equal(raw_reply(fd, false, &got), 0);
        assert_int_equal(got.status, 200);
        assert_int_equal(head.status, i == 4 ? 404 : 200);
        http_reply_free(&head);
        http_reply_free(&got);
        close(fd);
    }
}

static void test_other_methods_are_told_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *request, *allowed;
    } table[] = {
        { "POST /debug/pprof/threads", "GET, HEAD" },
        { "PUT /", "GET, HEAD" },
        { "DELETE /debug/pprof/", "GET, HEAD" },
        { "PATCH /debug/threads", "GET, HEAD" },
        { "OPTIONS *", "GET, HEAD" },
        { "CONNECT localhost:80", "GET, HEAD" },
        { "TRACE /debug/vars", "GET, HEAD" },
        { "PROPFIND /debug/pprof/cmdline", "GET, HEAD" },
        { "get /", "GET, HEAD" },
        { "PUT /debug/pprof/symbol", "GET, HEAD, POST" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct http_reply reply;
        assert_int_equal(raw_ask(snag_address(), &reply, "%s" REST, table[i].request), 0);
        is_error(&reply, 405);
        has_header(&reply, "Allow", table[i].allowed);
        says(&reply, table[i].allowed);
        http_reply_free(&reply);
    }
}

static void test_unknown_names_list_the_known_ones(void **state)
{
    (void)state;
    static const char *const profiles[] = { "nothing", "Threads",   "threads/",
                                            "heap",    "%74hreadz", "threads%2f..",
                                            "profile", "..",        "thread%C3%9F" };
    static const char *const pages[] = { "/debug/goroutine", "/debug/fds/",
                                         "/index.html",      "//",
                                         "/debug//pprof/",   "/debug/pprofthreads",
                                         "/favicon.ico" };
    struct http_reply reply;
    char path[80];
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        snprintf(path, sizeof path, "/debug/pprof/%s", profiles[i]);
        get(path, 404, &reply);
        is_error(&reply, 404);
        says(&reply, "threads, goroutine");
        http_reply_free(&reply);
    }
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        get(pages[i], 404, &reply);
        is_error(&reply, 404);
        says(&reply, "/debug/pprof/");
        http_reply_free(&reply);
    }
}

static void test_what_is_echoed_is_harmless(void **state)
{
    (void)state;
    struct http_reply reply;
    get("/debug/pprof/%3Cscript%3E%22%C2%9B31m", 404, &reply);
    is_error(&reply, 404);
    for (size_t i = 0; i + 1 < reply.length; i++)
        assert_true(reply.body[i] >= 0x20 && reply.body[i] < 0x7f);
    http_reply_free(&reply);
}

static void test_paths_without_their_slash_lead_on(void **state)
{
    (void)state;
    struct http_reply reply;
    get("/debug/pprof", 301, &reply);
    has_header(&reply, "Location", "/debug/pprof/");
    http_reply_free(&reply);
    get("/debug?token=abc", 301, &reply);
    has_header(&reply, "Location", "/debug/?token=abc");
    http_reply_free(&reply);
}

static void test_paths_may_be_escaped(void **state)
{
    (void)state;
    struct http_reply reply;
    get("/debug/pprof/thre%61ds?d%65bug=%31", 200, &reply);
    says(&reply, "threads profile:");
    http_reply_free(&reply);
    get("http://localhost/debug/pprof/threads?debug=1", 200, &reply);
    says(&reply, "threads profile:");
    http_reply_free(&reply);
    get("http://localhost", 200, &reply);
    http_reply_free(&reply);
}

static void test_pages_for_a_browser(void **state)
{
    (void)state;
    static const char *const paths[] = { "/", "/debug/", "/debug/pprof/" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct http_reply reply;
        char policy[256];
        assert_int_equal(raw_ask(snag_address(), &reply,
                                 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                 "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n\r\n",
                                 paths[i]),
                         0);
        assert_int_equal(reply.status, 200);
        has_header(&reply, "Content-Type", "text/html; charset=utf-8");
        has_header(&reply, "Referrer-Policy", "no-referrer");
        assert_true(raw_header(&reply, "Content-Security-Policy", policy, sizeof policy));
        assert_non_null(strstr(policy, "default-src 'none'"));
        assert_null(strstr(reply.body, "<script"));
        assert_null(strstr(reply.body, "src="));
        says(&reply, "threads");
        says(&reply, with_count("<td class=\"n\">", "<"));
        http_reply_free(&reply);
    }
    struct http_reply reply;
    get("/debug/pprof/", 200, &reply);
    says(&reply, with_count("    ", " threads, also goroutine\n"));
    says(&reply, "full thread stack dump: threads?debug=2");
    http_reply_free(&reply);
    get("/", 200, &reply);
    has_header(&reply, "Content-Type", "text/plain; charset=utf-8");
    says(&reply, snag_address());
    says(&reply, SNAG_VERSION);
    says(&reply, with_count("       ", " threads"));
    http_reply_free(&reply);
}

static void test_vars_are_counts(void **state)
{
    (void)state;
    struct http_reply reply;
    char pid[32];
    snprintf(pid, sizeof pid, "\"pid\": %d,", (int)getpid());
    get("/debug/vars", 200, &reply);
    has_header(&reply, "Content-Type", "application/json; charset=utf-8");
    says(&reply, "\"cmdline\": [\"");
    says(&reply, pid);
    says(&reply, with_count("\"threads\": ", ""));
    http_reply_free(&reply);
}

static void test_cmdline_is_the_arguments(void **state)
{
    (void)state;
    struct http_reply reply;
    char arguments[4096];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, arguments, sizeof arguments);
    close(fd);
    get("/debug/pprof/cmdline", 200, &reply);
    has_header(&reply, "Content-Type", "text/plain; charset=utf-8");
    assert_int_equal(reply.length, length - 1);
    assert_memory_equal(reply.body, arguments, reply.length);
    http_reply_free(&reply);
}

void a_function_to_be_named(void);
void a_function_to_be_named(void)
{
    assert_true(true);
}

static void test_symbol_names_addresses(void **state)
{
    (void)state;
    struct http_reply reply;
    char expected[128], body[256];
    uintptr_t known = (uintptr_t)a_function_to_be_named;
    snprintf(expected, sizeof expected, "num_symbols: 1\n0x%" PRIxPTR " a_function_to_be_named\n",
             known);
    snprintf(body, sizeof body, "0x%" PRIxPTR "+0x10+zebra+0x+0xffffffffffffffffff", known);

    assert_int_equal(raw_ask(snag_address(), &reply, "GET /debug/pprof/symbol?%s" REST, body), 0);
    assert_string_equal(reply.body, expected);
    http_reply_free(&reply);

    assert_int_equal(raw_ask(snag_address(), &reply,
                             "POST /debug/pprof/symbol?seconds=5 HTTP/1.1\r\nHost: localhost\r\n"
                             "Content-Length: %zu\r\n\r\n%s",
                             strlen(body), body),
                     0);
    assert_string_equal(reply.body, expected);
    http_reply_free(&reply);

    snprintf(body, sizeof body, "/debug/pprof/symbol?%" PRIuPTR, known);
    get(body, 200, &reply);
    assert_string_equal(reply.body, expected);
    http_reply_free(&reply);
    get("/debug/pprof/symbol", 200, &reply);
    assert_string_equal(reply.body, "num_symbols: 1\n");
    http_reply_free(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reply_carries_the_headers_that_guard_it),
        cmocka_unit_test(test_a_profile_is_what_pprof_expects),
        cmocka_unit_test(test_tid_keeps_threads_apart),
        cmocka_unit_test(test_text_forms),
        cmocka_unit_test(test_snag_write_gives_the_same_bytes),
        cmocka_unit_test(test_broken_pipe_is_an_error),
        cmocka_unit_test(test_head_is_get_without_the_body),
        cmocka_unit_test(test_other_methods_are_told_what_is_allowed),
        cmocka_unit_test(test_unknown_names_list_the_known_ones),
        cmocka_unit_test(test_what_is_echoed_is_harmless),
        cmocka_unit_test(test_paths_without_their_slash_lead_on),
        cmocka_unit_test(test_paths_may_be_escaped),
        cmocka_unit_test(test_pages_for_a_browser),
        cmocka_unit_test(test_vars_are_counts),
        cmocka_unit_test(test_cmdline_is_the_arguments),
        cmocka_unit_test(test_symbol_names_addresses),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
