/* test_queries.c proves that what is not a request, or asks for something that
 * cannot be, is refused by a status and one line, and never guessed at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "raw_http.h"

#include <snag/snag.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REST " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#define P "/debug/pprof/threads?"

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

static void is_refused(const struct http_reply *reply, int status, const char *part,
                       const char *request)
{
    if (reply->status != status || !strstr(reply->body, part))
        fail_msg("%s\ngives %d, not %d with \"%s\": %s", request, reply->status, status, part,
                 reply->body);
    assert_non_null(strstr(reply->head, "X-Go-Pprof: 1\r\n"));
    assert_ptr_equal(strchr(reply->body, '\n'), reply->body + reply->length - 1);
    for (size_t i = 0; i + 1 < reply->length; i++)
        assert_true(reply->body[i] >= 0x20 && reply->body[i] < 0x7f);
}

static void test_bad_queries(void **state)
{
    (void)state;
    static const struct {
        const char *target, *part;
    } table[] = {
        { P "debug=3", "debug=3: 0 (pprof), 1 (text by stack) or 2" },
        { P "debug=-1", "debug=-1: 0" },
        { P "debug=", "debug=: 0" },
        { P "debug", "debug=: 0" },
        { P "debug=00", "debug=00" },
        { P "debug=1.0", "debug=1.0" },
        { P "debug=0x1", "debug=0x1" },
        { P "debug=+1", "debug=+1" },
        { P "debug=%201", "debug=?1" },
        { P "debug=1%20", "debug=1?" },
        { P "debug=true", "debug=true" },
        { P "debug=99999999999999999999", "debug=99999999999999999999" },
        { P "debug=\xd9\xa1", "METHOD TARGET" },
        { P "debug=%D9%A1", "debug=??" },
        { P "debug=1&debug=1", "debug is there twice" },
        { P "debug=1&debug=2", "debug is there twice" },
        { P "debug=1;tid=1", "debug=1;tid=1" },
        { P "Debug=1", "unknown parameter \"Debug\"" },
        { P "debug%20=1", "unknown parameter \"debug?\"" },
        { P "debug[]=1", "unknown parameter \"debug[]\"" },
        { P "=1", "unknown parameter \"\"" },
        { P "x=1", "unknown parameter \"x\": debug, seconds, gc, tid, token can be given" },
        { P "debug=1&x", "unknown parameter \"x\"" },
        { P "seconds=0", "seconds=0: a whole number from 1 to 3600" },
        { P "seconds=-5", "seconds=-5: a" },
        { P "seconds=3601", "from 1 to 3600" },
        { P "seconds=4294967297", "from 1 to 3600" },
        { P "seconds=18446744073709551617", "from 1 to 3600" },
        { P "seconds=1.5", "from 1 to 3600" },
        { P "seconds=1e2", "from 1 to 3600" },
        { P "seconds=", "from 1 to 3600" },
        { P "seconds=1s", "from 1 to 3600" },
        { P "seconds=1&seconds=1", "twice" },
        { P "seconds=1&debug=1", "a difference comes with debug=0 only" },
        { P "debug=2&seconds=1", "a difference comes with debug=0 only" },
        { P "tid=2", "tid=2: 0 or 1" },
        { P "tid=yes", "tid=yes: 0 or 1" },
        { P "tid=", "tid=: 0 or 1" },
        { P "tid=01", "tid=01: 0 or 1" },
        { P "gc=1&gc=1", "twice" },
        { P "format=json", "unknown parameter \"format\"" },
        { P "debug=%", "not followed by two digits" },
        { P "debug=%1", "not followed by two digits" },
        { P "debug=%zz", "not followed by two digits" },
        { P "debug=%1&tid=1", "not followed by two digits" },
        { P "debug=1%00", "not followed by two digits of a printable" },
        { P "debug=%0a", "not followed by two digits of a printable" },
        { P "%00=1", "not followed by two digits of a printable" },
        { P "debug=1?tid=1", "debug=1?tid=1" },
        { "/debug/threads?format=xml", "format=xml: text or json" },
        { "/debug/threads?format=", "format=: text or json" },
        { "/debug/threads?debug=1", "unknown parameter \"debug\": format, token can be given" },
        { "/debug/threads?seconds=1", "unknown parameter \"seconds\"" },
        { "/?x=1", "unknown parameter \"x\": token can be given here" },
        { "/debug/pprof/?debug=1", "unknown parameter \"debug\"" },
        { "/debug/pprof/cmdline?debug=1", "unknown parameter \"debug\"" },
        { "/debug/vars?format=json", "unknown parameter \"format\"" },
        { "/debug/%", "in the path" },
        { "/debug/%00", "in the path" },
        { "/debug/pprof/threads%0d%0aX: 1", "METHOD TARGET" },
        { "/debug/pprof/threads%0d%0aX:1", "in the path" },
        { "debug/pprof/", "neither a path nor" },
        { "ftp://localhost/", "neither a path nor" },
        { "*", "names no page" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct http_reply reply;
        assert_int_equal(raw_ask(snag_address(), &reply, "GET %s" REST, table[i].target), 0);
        is_refused(&reply, 400, table[i].part, table[i].target);
        http_reply_free(&reply);
    }
}

static void test_good_queries(void **state)
{
    (void)state;
    static const char *const table[] = {
        P,
        P "&",
        P "&&debug=1&",
        P "debug=0",
        P "debug=1&tid=1",
        P "debug=2&gc=1",
        P "gc",
        P "gc=anything%20at%20all",
        P "token=there-is-none-to-match",
        P "%64ebug=%32",
        "/debug/threads?",
        "/debug/threads?format=text&token=x",
        "/?token=",
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct http_reply reply;
        assert_int_equal(raw_ask(snag_address(), &reply, "GET %s" REST, table[i]), 0);
        if (reply.status != 200)
            fail_msg("%s: %d %s", table[i], reply.status, reply.body);
        http_reply_free(&reply);
    }
}

static void test_what_is_no_request(void **state)
{
    (void)state;
#define H "Host: localhost\r\n"
    static const struct {
        int status;
        const char *request, *part;
    } table[] = {
        { 400, "hello\r\n\r\n", "METHOD TARGET" },
        { 400, "GET /\r\n\r\n", "METHOD TARGET" },
        { 400, "GET  / HTTP/1.1\r\n", "METHOD TARGET" },
        { 400, "GET / HTTP/1.1 \r\n", "METHOD TARGET" },
        { 400, " GET / HTTP/1.1\r\n", "METHOD TARGET" },
        { 400, "GET\t/\tHTTP/1.1\r\n", "METHOD TARGET" },
        { 400, "G(T / HTTP/1.1\r\n", "METHOD TARGET" },
        { 400, "GET / http/1.1\r\n", "METHOD TARGET" },
        { 400, "GET / HTTP/1.10\r\n", "METHOD TARGET" },
        { 400, "GET / HTTP/x.1\r\n", "METHOD TARGET" },
        { 400, "GET / HTTP/1.1\rX: y\r\n", "control character" },
        { 400, "GET /\x01 HTTP/1.1\r\n", "control character" },
        { 400, "\x80\x2e\x01", "control character" },
        { 400, "GET / HTTP/1.1\r\n" H "NoColon\r\n\r\n", "NAME: VALUE" },
        { 400, "GET / HTTP/1.1\r\n" H ": empty\r\n\r\n", "NAME: VALUE" },
        { 400, "GET / HTTP/1.1\r\n" H "Space : x\r\n\r\n", "NAME: VALUE" },
        { 400, "GET / HTTP/1.1\r\n" H " folded: x\r\n\r\n", "NAME: VALUE" },
        { 400, "GET / HTTP/1.1\r\n" H H "\r\n", "twice" },
        { 400, "GET / HTTP/1.1\r\n" H "Content-Length: x\r\n\r\n", "not a number" },
        { 400, "GET / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", "not a number" },
        { 400, "GET / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\n", "not a number" },
        { 400, "GET / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", "not a number" },
        { 400, "GET / HTTP/1.1\r\n" H "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "twice" },
        { 400,
          "POST /debug/pprof/symbol HTTP/1.1\r\n" H
          "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
          "Content-Length" },
        { 411, "GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "Content-Length" },
        { 413, "GET / HTTP/1.1\r\n" H "Content-Length: 65537\r\n\r\n", "64 KiB" },
        { 413, "GET / HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\n", "64 KiB" },
        { 417, "GET / HTTP/1.1\r\n" H "Expect: miracles\r\n\r\n", "100-continue" },
        { 505, "GET / HTTP/2.0\r\n" H "\r\n", "HTTP/1.1" },
        { 505, "GET / HTTP/0.9\r\n" H "\r\n", "HTTP/1.1" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct http_reply reply;
        assert_int_equal(raw_ask(snag_address(), &reply, "%s", table[i].request), 0);
        is_refused(&reply, table[i].status, table[i].part, table[i].request);
        assert_non_null(strstr(reply.head, "Connection: close\r\n"));
        http_reply_free(&reply);
    }
}

static void test_nothing_is_read_without_end(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *before;
        char filler;
        size_t count;
    } table[] = {
        { 414, "GET /", 'a', 9000 },
        { 414, "GET /?", '&', 100000 },
        { 414, "", 'A', 200000 },
        { 431, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ", 'a', 9000 },
        { 431, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ", 'a', 3000000 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct http_reply reply;
        int fd = raw_connect(snag_address(), 10);
        char *filler = malloc(table[i].count);
        memset(filler, table[i].filler, table[i].count);
        raw_send_text(fd, table[i].before);
        raw_send(fd, filler, table[i].count);
        assert_int_equal(raw_reply(fd, false, &reply), 0);
        is_refused(&reply, table[i].status, "longer than 8 KiB", table[i].before);
        http_reply_free(&reply);
        free(filler);
        close(fd);
    }
}

/* What a client still sends after its refusal is thrown away for a while: a reset
 * would come before it has got to reading the reply. */
static void test_the_rest_of_what_was_refused(void **state)
{
    (void)state;
    struct http_reply reply;
    int fd = raw_connect(snag_address(), 10);
    assert_true(raw_send_text(fd, "no request\r\n"));
    for (int i = 0; i < 8; i++) {
        usleep(50000);
        assert_true(raw_send_text(fd, "but more of it\r\n"));
    }
    assert_int_equal(raw_reply(fd, false, &reply), 0);
    is_refused(&reply, 400, "METHOD TARGET", "no request");
    http_reply_free(&reply);
    assert_true(raw_is_closed(fd));
    close(fd);
}

static void test_the_limits_themselves_are_allowed(void **state)
{
    (void)state;
    struct http_reply reply;
    char request[8193];
    const char before[] = "GET /debug/vars HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: ";
    memset(request, 'a', sizeof request);
    memcpy(request, before, sizeof before - 1);
    memcpy(request + 8192 - 4, "\r\n\r\n", 5);
    assert_int_equal(raw_ask(snag_address(), &reply, "%s", request), 0);
    assert_int_equal(reply.status, 200);
    http_reply_free(&reply);

    char *body = malloc(65537);
    memset(body, '+', 65536);
    body[65536] = 0;
    assert_int_equal(raw_ask(snag_address(), &reply,
                             "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\n"
                             "Content-Length: 65536\r\nConnection: close\r\n\r\n%s",
                             body),
                     0);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "num_symbols: 1\n");
    http_reply_free(&reply);
    free(body);
}

/* Bytes without sense, the same in every run: the listener goes on. */
static void test_noise(void **state)
{
    (void)state;
    uint32_t number = 12345;
    for (int round = 0; round < 300; round++) {
        static const char *const beginnings[] = { "", "GET ", "GET / HTTP/1.1\r\n",
                                                  "GET / HTTP/1.1\r\nHost: localhost\r\n" };
        unsigned char noise[600];
        struct http_reply reply;
        for (size_t i = 0; i < sizeof noise; i++) {
            number = number * 1664525u + 1013904223u;
            noise[i] = (unsigned char)(number >> 24);
            if (round & 1) /* text with many ends of line */
                noise[i] = (unsigned char)"GET /:%?&=a \r\n\n.0HTTP"[noise[i] % 21];
        }
        int fd = raw_connect(snag_address(), 20);
        raw_send_text(fd, beginnings[round / 2 % 4]);
        raw_send(fd, noise, sizeof noise);
        raw_send_text(fd, "\r\n\r\n");
        /* Some of it happens to be a request. */
        if (raw_reply(fd, false, &reply) == 0)
            assert_true(reply.status == 200 || (reply.status >= 400 && reply.status < 500));
        http_reply_free(&reply);
        close(fd);
    }
    struct http_reply reply;
    assert_int_equal(raw_ask(snag_address(), &reply, "GET /debug/vars" REST), 0);
    assert_int_equal(reply.status, 200);
    http_reply_free(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_queries),
        cmocka_unit_test(test_good_queries),
        cmocka_unit_test(test_what_is_no_request),
        cmocka_unit_test(test_nothing_is_read_without_end),
        cmocka_unit_test(test_the_rest_of_what_was_refused),
        cmocka_unit_test(test_the_limits_themselves_are_allowed),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
