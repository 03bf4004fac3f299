/* test_access.c proves who is answered and who is not: by name, by origin, by token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "raw_http.h"

#include <snag/snag.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int stop(void **state)
{
    (void)state;
    snag_stop();
    return 0;
}

static int start_on(const char *listen, const char *token)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = listen;
    options.token = token;
    return snag_start(&options);
}

/* The status of a GET with the target and the header lines given. */
static int status_of(const char *target, const char *version, const char *headers)
{
    struct http_reply reply;
    assert_int_equal(raw_ask(snag_address(), &reply,
                             "GET %s HTTP/%s\r\n%sConnection: close\r\n\r\n", target, version,
                             headers),
                     0);
    int status = reply.status;
    http_reply_free(&reply);
    return status;
}

static void expect(int status, const char *target, const char *version, const char *headers)
{
    int got = status_of(target, version, headers);
    if (got != status)
        fail_msg("GET %s HTTP/%s with \"%s\": %d, not %d", target, version, headers, got, status);
}

static void test_host(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *host;
    } table[] = {
        { 200, "localhost" },
        { 200, "localhost:6060" },
        { 200, "LocalHost:1" },
        { 200, "localhost." },
        { 200, "localhost.:80" },
        { 200, "localhost:" },
        { 200, "127.0.0.1" },
        { 200, "127.0.0.1:65535" },
        { 200, "[::1]" },
        { 200, "[::1]:6060" },
        { 200, "[0:0:0:0:0:0:0:1]:6060" },
        { 403, "" },
        { 403, "evil.example" },
        { 403, "localhost.evil.example" },
        { 403, "localhost.." },
        { 403, "127.0.0.1.evil.example" },
        { 403, "evil.example:6060" },
        { 403, "127.0.0.2" },
        { 403, "127.1" },
        { 403, "0x7f.0.0.1" },
        { 403, "2130706433" },
        { 403, "0.0.0.0" },
        { 403, "[::]" },
        { 403, "[::2]" },
        { 403, "[::1" },
        { 403, "::1" },
        { 403, "[::1]x" },
        { 403, "[::1%25lo]" },
        { 403, "[localhost]" },
        { 403, "localhost:x" },
        { 403, "localhost:123456" },
        { 403, "localhost:80:80" },
        { 403, "user@localhost" },
        { 403, "localhost,evil.example" },
        { 403, "localhost evil.example" },
        { 403, "xn--lcalhost-n4a" },
    };
    assert_int_equal(start_on("127.0.0.1:0", NULL), 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char header[80], target[80];
        snprintf(header, sizeof header, "hOST:  %s \r\n", table[i].host);
        expect(table[i].status, "/debug/vars", "1.1", header);
        if (!table[i].host[0] || strchr(table[i].host, ' '))
            continue;
        /* The same in the target, beside a good Host. */
        snprintf(target, sizeof target, "http://%s/debug/vars", table[i].host);
        expect(table[i].status, target, "1.1", "Host: localhost\r\n");
    }
    expect(403, "http://localhost/debug/vars", "1.1", "Host: evil.example\r\n");
    expect(400, "/debug/vars", "1.1", "");
    expect(200, "/debug/vars", "1.0", "");
    expect(403, "/debug/vars", "1.0", "Host: evil.example\r\n");
    expect(200, "http://localhost/debug/vars", "1.0", "");
}

static void test_the_address_listened_on_is_a_name_too(void **state)
{
    (void)state;
    assert_int_equal(start_on("127.0.0.2:0", NULL), 0);
    expect(200, "/debug/vars", "1.1", "Host: 127.0.0.2:6060\r\n");
    expect(200, "/debug/vars", "1.1", "Host: localhost\r\n");
    expect(403, "/debug/vars", "1.1", "Host: 127.0.0.3\r\n");
}

static void test_a_unix_socket_takes_any_host(void **state)
{
    (void)state;
    char listen[64];
    snprintf(listen, sizeof listen, "unix:/tmp/snag-access.%d.sock", (int)getpid());
    assert_int_equal(start_on(listen, NULL), 0);
    expect(200, "/debug/vars", "1.1", "Host: anything\r\n");
    expect(200, "/debug/vars", "1.1", "");
    expect(403, "/debug/vars", "1.1", "Host: localhost\r\nOrigin: http://evil.example\r\n");
}

static void test_origin(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *header;
    } table[] = {
        { 200, "Origin: http://localhost:6060" },
        { 200, "Origin: HTTP://LOCALHOST" },
        { 200, "Origin: http://127.0.0.1:8080" },
        { 200, "Origin: https://[::1]" },
        { 403, "Origin: http://evil.example" },
        { 403, "Origin: http://localhost.evil.example" },
        { 403, "Origin: http://localhost/path" },
        { 403, "Origin: null" },
        { 403, "Origin:" },
        { 403, "Origin: localhost" },
        { 403, "Origin: file://" },
        { 403, "Origin: chrome-extension://localhost" },
        { 403, "Origin: http://" },
        { 400, "Origin: http://localhost\r\nOrigin: http://evil.example" },
        { 200, "Sec-Fetch-Site: same-origin" },
        { 200, "Sec-Fetch-Site: none" },
        { 200, "Sec-Fetch-Site: same-site" },
        { 403, "Sec-Fetch-Site: cross-site" },
        { 403, "sec-fetch-site: CROSS-SITE" },
        { 403, "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate" },
        { 400, "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site" },
    };
    assert_int_equal(start_on("127.0.0.1:0", NULL), 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char headers[160];
        snprintf(headers, sizeof headers, "Host: localhost\r\n%s\r\n", table[i].header);
        expect(table[i].status, "/debug/pprof/cmdline", "1.1", headers);
    }
}

#define TOKEN "s3cret&+%/="
#define ESCAPED "s3cret%26%2B%25%2f%3D"

static void test_token(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *target, *header;
    } table[] = {
        { 401, "/", "" },
        { 401, "/debug/pprof/threads", "" },
        { 401, "/nothing", "" },
        { 401, "/?x=1", "" },
        { 401, "/?token=", "" },
        { 401, "/?token=s3cret", "" },
        { 401, "/?token=" ESCAPED "x", "" },
        { 401, "/?token=S3CRET%26%2B%25%2f%3D", "" },
        { 401, "/?xtoken=" ESCAPED, "" },
        { 401, "/?a=token=" ESCAPED, "" },
        { 401, "/?token=%", "" },
        { 200, "/?token=" ESCAPED, "" },
        { 200, "/debug/pprof/threads?debug=1&token=" ESCAPED, "" },
        { 200, "/debug/pprof/symbol?token=" ESCAPED, "" },
        { 200, "/debug/pprof/symbol?0x10&token=" ESCAPED, "" },
        { 404, "/nothing?token=" ESCAPED, "" },
        { 400, "/?token=" ESCAPED "&token=" ESCAPED, "" },
        { 200, "/", "Authorization: Bearer " TOKEN "\r\n" },
        { 200, "/", "authorization: bearer   " TOKEN " \r\n" },
        { 200, "/?token=wrong", "Authorization: Bearer " TOKEN "\r\n" },
        { 200, "/?token=" ESCAPED, "Authorization: Basic wrong\r\n" },
        { 401, "/", "Authorization: Bearer " ESCAPED "\r\n" },
        { 401, "/", "Authorization: Bearer\r\n" },
        { 401, "/", "Authorization: Bearer \r\n" },
        { 401, "/", "Authorization: " TOKEN "\r\n" },
        { 401, "/", "Authorization: Basic " TOKEN "\r\n" },
        { 403, "/?token=" ESCAPED, "Origin: http://evil.example\r\n" },
        { 403, "/", "Sec-Fetch-Site: cross-site\r\n" },
    };
    assert_int_equal(start_on("127.0.0.1:0", TOKEN), 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char headers[160];
        snprintf(headers, sizeof headers, "Host: localhost\r\n%s", table[i].header);
        expect(table[i].status, table[i].target, "1.1", headers);
    }
    struct http_reply reply;
    char challenge[80];
    assert_int_equal(raw_ask(snag_address(), &reply, "GET / HTTP/1.0\r\n\r\n"), 0);
    assert_true(raw_header(&reply, "WWW-Authenticate", challenge, sizeof challenge));
    assert_int_equal(strncmp(challenge, "Bearer", 6), 0);
    assert_null(strstr(reply.body, "s3cret"));
    http_reply_free(&reply);
    /* A browser follows the links with the token it came with. */
    assert_int_equal(raw_ask(snag_address(), &reply,
                             "GET /?token=%s HTTP/1.0\r\nAccept: text/html\r\n\r\n", ESCAPED),
                     0);
    assert_non_null(strstr(reply.body, "\"/debug/threads?token=s3cret%26%2B%25%2F%3D\""));
    http_reply_free(&reply);
}

/* An address of this machine that is not loopback, or "". */
static void find_outside_address(char *text, size_t size)
{
    struct ifaddrs *all;
    text[0] = 0;
    if (getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *one = all; one && !text[0]; one = one->ifa_next)
        if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET &&
            !(one->ifa_flags & IFF_LOOPBACK) && one->ifa_flags & IFF_UP)
            inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)one->ifa_addr)->sin_addr, text,
                      (socklen_t)size);
    freeifaddrs(all);
}

static int same_from(const char *address, const char *host)
{
    struct http_reply reply;
    assert_int_equal(raw_ask(address, &reply,
                             "GET /debug/vars HTTP/1.1\r\nHost: %s\r\n"
                             "Authorization: Bearer t\r\nConnection: close\r\n\r\n",
                             host),
                     0);
    int status = reply.status;
    http_reply_free(&reply);
    return status;
}

static void test_everywhere_only_with_a_token(void **state)
{
    (void)state;
    static const char *const everywhere[] = { "0.0.0.0:0", "[::]:0" };
    for (int i = 0; i < 2; i++) {
        char outside[64], address[96];
        assert_int_equal(start_on(everywhere[i], NULL), -EACCES);
        if (start_on(everywhere[i], "t") == -EAFNOSUPPORT)
            continue;
        const char *port = strrchr(snag_address(), ':');
        snprintf(address, sizeof address, "127.0.0.1%s", port);
        assert_int_equal(same_from(address, "127.0.0.1"), 200);
        assert_int_equal(same_from(address, "evil.example"), 403);
        find_outside_address(outside, sizeof outside);
        if (outside[0]) {
            snprintf(address, sizeof address, "%s%s", outside, port);
            assert_int_equal(same_from(address, outside), 200);
            assert_int_equal(same_from(address, "10.99.99.99"), 403);
        }
        snag_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_host, stop),
        cmocka_unit_test_teardown(test_the_address_listened_on_is_a_name_too, stop),
        cmocka_unit_test_teardown(test_a_unix_socket_takes_any_host, stop),
        cmocka_unit_test_teardown(test_origin, stop),
        cmocka_unit_test_teardown(test_token, stop),
        cmocka_unit_test_teardown(test_everywhere_only_with_a_token, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
