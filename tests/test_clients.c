/* test_clients.c proves that clients do not get into each other's way: many at
 * once, slow ones, stuck ones, those that leave, those that ask for the same, and those who
 * wait for a difference. */
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

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "Host: localhost\r\n"
#define VARS "GET /debug/vars HTTP/1.1\r\n" HOST "\r\n"
#define SECOND UINT64_C(1000000000)

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

static int new_client(void)
{
    int fd = raw_connect(snag_address(), 40);
    assert_true(fd >= 0);
    return fd;
}

static void reads(int fd, int status, struct http_reply *reply)
{
    assert_int_equal(raw_reply(fd, false, reply), 0);
    if (reply->status != status)
        fail_msg("status %d, not %d: %s", reply->status, status, reply->body);
}

static void reads_status(int fd, int status)
{
    struct http_reply reply;
    reads(fd, status, &reply);
    http_reply_free(&reply);
}

static void test_requests_in_a_row(void **state)
{
    (void)state;
    int fd = new_client();
    for (int i = 0; i < 200; i++) {
        assert_true(raw_send_text(fd, VARS));
        reads_status(fd, 200);
    }
    close(fd);
}

static void test_requests_sent_ahead(void **state)
{
    (void)state;
    int fd = new_client();
    assert_true(raw_send_text(fd, "\r\n\n" VARS "\r\n"
                                  "GET /debug/threads HTTP/1.1\nHost: localhost\n\n"
                                  "HEAD / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"
                                  "POST /debug/pprof/symbol HTTP/1.1\r\n" HOST
                                  "Content-Length: 4\r\n\r\n0x10"
                                  "GET /nothing HTTP/1.1\r\n" HOST "\r\n" VARS
                                  "GET / HTTP/1.1\r\n" HOST "Connection: foo, CLOSE\r\n\r\n" VARS));
    struct http_reply reply;
    reads_status(fd, 200);
    reads(fd, 200, &reply);
    assert_non_null(strstr(reply.body, "test_requests_sent_ahead"));
    http_reply_free(&reply);
    assert_int_equal(raw_reply(fd, true, &reply), 0);
    http_reply_free(&reply);
    reads(fd, 200, &reply);
    assert_string_equal(reply.body, "num_symbols: 1\n");
    http_reply_free(&reply);
    reads_status(fd, 404);
    reads_status(fd, 200);
    reads(fd, 200, &reply);
    assert_non_null(strstr(reply.head, "Connection: close\r\n"));
    http_reply_free(&reply);
    assert_true(raw_is_closed(fd));
    close(fd);
}

static void test_http_1_0(void **state)
{
    (void)state;
    struct http_reply reply;
    int fd = new_client();
    assert_true(raw_send_text(fd, "GET /debug/vars HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    reads(fd, 200, &reply);
    assert_non_null(strstr(reply.head, "Connection: keep-alive\r\n"));
    http_reply_free(&reply);
    assert_true(raw_send_text(fd, "GET /debug/vars HTTP/1.0\r\n\r\n"));
    reads(fd, 200, &reply);
    assert_non_null(strstr(reply.head, "Connection: close\r\n"));
    http_reply_free(&reply);
    assert_true(raw_is_closed(fd));
    close(fd);
}

static void test_a_body_is_waited_for(void **state)
{
    (void)state;
    char interim[64] = "";
    int fd = new_client();
    assert_true(raw_send_text(fd, "POST /debug/pprof/symbol HTTP/1.1\r\n" HOST
                                  "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"));
    assert_int_equal(recv(fd, interim, 25, MSG_WAITALL), 25);
    assert_string_equal(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    for (int i = 0; i < 9; i++) {
        sleep_ms(5);
        assert_true(raw_send(fd, &"0x10+0x11"[i], 1));
    }
    reads_status(fd, 200);
    close(fd);
}

/* nc, with its input at an end, still wants its reply. */
static void test_a_client_that_has_no_more_to_say(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *request;
    } table[] = {
        { 200, VARS },
        { 200, "GET /debug/pprof/threads HTTP/1.0\r\n\r\n" },
        { 400, "GET /debug/vars HTTP/1.1\r\nHost: loc" },
        { 400, "GET /" },
        { 400, "POST /debug/pprof/symbol HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n0x10" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int fd = new_client();
        assert_true(raw_send_text(fd, table[i].request));
        shutdown(fd, SHUT_WR);
        reads_status(fd, table[i].status);
        assert_true(raw_is_closed(fd));
        close(fd);
    }
    /* The rest of what it had sent ahead, too. */
    struct http_reply reply;
    int fd = new_client();
    assert_true(raw_send_text(fd, VARS VARS "GET /incompl"));
    shutdown(fd, SHUT_WR);
    reads_status(fd, 200);
    reads_status(fd, 200);
    reads_status(fd, 400);
    assert_int_equal(raw_reply(fd, false, &reply), -ECONNRESET);
    close(fd);
    fd = new_client();
    shutdown(fd, SHUT_WR);
    assert_true(raw_is_closed(fd));
    close(fd);
}

static void test_a_hundred_at_once(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /debug/pprof/threads HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
        "GET /debug/threads HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
        VARS, /* and then stays connected */
        "GET /nothing HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
    };
    int clients[100];
    for (int i = 0; i < 100; i++) {
        clients[i] = new_client();
        assert_true(raw_send_text(clients[i], requests[i % 4]));
    }
    for (int i = 99; i >= 0; i--)
        reads_status(clients[i], i % 4 == 3 ? 404 : 200);
    for (int i = 0; i < 100; i++)
        close(clients[i]);
}

/* Whoever is stuck loses its place to whoever is not. */
static void test_the_stuck_do_not_lock_others_out(void **state)
{
    (void)state;
    static const char *const beginnings[] = { "", "GET / HT", VARS,
                                              "POST /debug/pprof/symbol HTTP/1.1\r\n" HOST
                                              "Content-Length: 60000\r\n\r\n" };
    int clients[64];
    for (int i = 0; i < 64; i++) {
        clients[i] = new_client();
        assert_true(raw_send_text(clients[i], beginnings[i % 4]));
    }
    uint64_t before = now_ns();
    int fd = new_client();
    assert_true(raw_send_text(fd, VARS));
    reads_status(fd, 200);
    assert_true(now_ns() - before < 60 * SECOND);
    close(fd);
    for (int i = 0; i < 64; i++)
        close(clients[i]);
}

static void test_a_reader_that_does_not_read(void **state)
{
    (void)state;
    static struct worker workers[100];
    for (int i = 0; i < 100; i++)
        worker_start(&workers[i], hang, NULL, 65536);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    close(fd);
    fd = new_client();
    const int small = 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    /* More text than the sockets between us hold. */
    for (int i = 0; i < 200; i++)
        if (!raw_send_text(fd, "GET /debug/pprof/threads?debug=2 HTTP/1.1\r\n" HOST "\r\n"))
            break;
    /* Others are served meanwhile, at once and after it has been given up. */
    for (int i = 0; i < 3; i++) {
        int other = new_client();
        uint64_t before = now_ns();
        assert_true(raw_send_text(other, VARS));
        reads_status(other, 200);
        assert_true(now_ns() - before < 20 * SECOND);
        close(other);
    }
    struct pollfd hung_up = { .fd = fd, .events = POLLRDHUP };
    uint64_t before = now_ns();
    while (poll(&hung_up, 1, 120000) < 0 && errno == EINTR)
        ;
    assert_true(hung_up.revents != 0);
    uint64_t waited = now_ns() - before;
    assert_true(waited > 5 * SECOND);
    close(fd);
    for (int i = 0; i < 100; i++)
        worker_stop(&workers[i]);
}

/* Ten seconds for a request, however its bytes trickle. */
static void test_a_request_that_trickles(void **state)
{
    (void)state;
    uint64_t before = now_ns();
    struct http_reply reply;
    int fd = new_client();
    int silent = new_client();
    const char *text =
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct pollfd answered = { .fd = fd, .events = POLLIN };
    for (int i = 0; text[i] && poll(&answered, 1, 250) == 0; i++)
        assert_true(raw_send(fd, text + i, 1));
    reads(fd, 408, &reply);
    uint64_t waited = now_ns() - before;
    assert_true(waited > 9 * SECOND && waited < 60 * SECOND);
    assert_non_null(strstr(reply.body, "10 seconds"));
    http_reply_free(&reply);
    assert_true(raw_is_closed(fd));
    close(fd);
    /* One that has not begun has thirty. */
    assert_true(raw_send_text(silent, VARS));
    reads_status(silent, 200);
    close(silent);
}

static uint64_t time_of(const struct http_reply *reply)
{
    uint64_t time = 0;
    assert_int_equal(sscanf(reply->body, "{\"time_ns\": %" SCNu64, &time), 1);
    return time;
}

/* Eight who ask in one moment: the first may be alone, the others share. */
static void test_one_dump_for_all_who_ask(void **state)
{
    (void)state;
    int fewest = 8;
    for (int round = 0; round < 5; round++) {
        int clients[8];
        uint64_t times[8];
        int distinct = 0;
        for (int i = 0; i < 8; i++)
            clients[i] = new_client();
        for (int i = 0; i < 8; i++)
            assert_true(raw_send_text(clients[i],
                                      "GET /debug/threads?format=json HTTP/1.1\r\n" HOST "\r\n"));
        for (int i = 0; i < 8; i++) {
            struct http_reply reply;
            reads(clients[i], 200, &reply);
            times[i] = time_of(&reply);
            bool is_new = true;
            for (int j = 0; j < i; j++)
                is_new = is_new && times[j] != times[i];
            distinct += is_new;
            http_reply_free(&reply);
            close(clients[i]);
        }
        fewest = distinct < fewest ? distinct : fewest;
    }
    assert_true(fewest <= 3);
}

static int64_t sum_of(const struct http_reply *reply, int sign, int64_t *duration)
{
    const char *wrong = profile_check(reply->body, reply->length);
    if (wrong)
        fail_msg("%s", wrong);
    Perftools__Profiles__Profile *profile = profile_read(reply->body, reply->length);
    int64_t sum = 0;
    for (size_t i = 0; i < profile->n_sample; i++)
        if (sign * profile->sample[i]->value[0] > 0)
            sum += profile->sample[i]->value[0];
    *duration = profile->duration_nanos;
    perftools__profiles__profile__free_unpacked(profile, NULL);
    return sum;
}

static void ask_for_difference(int fd, int seconds)
{
    char request[128];
    snprintf(request, sizeof request,
             "GET /debug/pprof/goroutine?seconds=%d&tid=1 HTTP/1.1\r\n" HOST "\r\n", seconds);
    assert_true(raw_send_text(fd, request));
}

static void test_a_difference_has_what_came_and_what_went(void **state)
{
    (void)state;
    static struct worker leaving[2], coming[3];
    for (int i = 0; i < 2; i++)
        worker_start(&leaving[i], hang, NULL, 0);
    uint64_t before = now_ns();
    int fd = new_client();
    ask_for_difference(fd, 1);
    sleep_ms(400);
    for (int i = 0; i < 2; i++)
        worker_stop(&leaving[i]);
    for (int i = 0; i < 3; i++) {
        worker_start(&coming[i], hang, NULL, 0);
        wait_for_state(coming[i].tid, 'S');
    }
    /* Others are served while it is waited for. */
    int other = new_client();
    assert_true(raw_send_text(other, "GET /debug/pprof/threads HTTP/1.1\r\n" HOST "\r\n"));
    reads_status(other, 200);
    assert_true(now_ns() - before < 20 * SECOND);
    close(other);

    struct http_reply reply;
    char disposition[80];
    int64_t duration;
    reads(fd, 200, &reply);
    assert_true(now_ns() - before >= SECOND);
    assert_true(raw_header(&reply, "Content-Disposition", disposition, sizeof disposition));
    assert_string_equal(disposition, "attachment; filename=\"goroutine-delta.pb.gz\"");
    int64_t came = sum_of(&reply, 1, &duration);
    int64_t went = sum_of(&reply, -1, &duration);
    /* This thread is in another call at the second dump: it came and went as well, unless it
     * was met in the same. */
    assert_true(came - 3 == -went - 2);
    assert_true(came == 3 || came == 4);
    if (duration < (int64_t)SECOND || duration > 2 * (int64_t)SECOND)
        fail_msg("a second took %" PRId64 " ns", duration);
    http_reply_free(&reply);
    close(fd);
    for (int i = 0; i < 3; i++)
        worker_stop(&coming[i]);
}

/* Eight at a time; a ninth is told, and a client that leaves makes room. */
static void test_differences_are_not_waited_for_by_nobody(void **state)
{
    (void)state;
    int clients[8];
    for (int i = 0; i < 8; i++) {
        clients[i] = new_client();
        ask_for_difference(clients[i], 3600);
    }
    struct http_reply reply;
    int ninth = new_client();
    ask_for_difference(ninth, 1);
    reads(ninth, 503, &reply);
    assert_non_null(strstr(reply.body, "8 differences"));
    http_reply_free(&reply);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
    shutdown(clients[4], SHUT_WR);
    assert_true(raw_is_closed(clients[4]));
    close(clients[4]);
    ask_for_difference(ninth, 1);
    reads_status(ninth, 200);
    close(ninth);
    snag_stop(); /* with three still waiting */
    for (int i = 5; i < 8; i++) {
        assert_true(raw_is_closed(clients[i]));
        close(clients[i]);
    }
    assert_int_equal(start(NULL), 0);
}

/* Clients that ask and leave before they can have been answered. */
static void test_clients_that_leave(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /debug/pprof/threads HTTP/1.1\r\n" HOST "\r\n",
        "GET /debug/pprof/threads?seconds=2 HTTP/1.1\r\n" HOST "\r\n",
        "GET /debug/threads HTTP/1.1\r\n" HOST "\r\n" VARS,
        "GET / HT",
    };
    const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    for (int i = 0; i < 400; i++) {
        int fd = new_client();
        raw_send_text(fd, requests[i % 4]);
        if (i & 8)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        if (i & 16)
            sleep_ms(1);
        close(fd);
    }
    int fd = new_client();
    assert_true(raw_send_text(fd, VARS));
    reads_status(fd, 200);
    close(fd);
}

/* A client that keeps the loop busy with small requests does not keep others from their dump. */
static _Atomic bool flooding;

static void *flood(void *unused)
{
    int fd = raw_connect(snag_address(), 10);
    int reader = dup(fd);
    char sink[65536];
    while (flooding) {
        struct pollfd can = { .fd = fd, .events = POLLIN | POLLOUT };
        poll(&can, 1, 100);
        if (can.revents & POLLIN)
            recv(reader, sink, sizeof sink, MSG_DONTWAIT);
        if (can.revents & POLLOUT)
            send(fd, VARS VARS VARS VARS, 4 * strlen(VARS), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (can.revents & (POLLHUP | POLLERR))
            break;
    }
    close(reader);
    close(fd);
    return unused;
}

static void test_a_flood_does_not_hold_up_a_dump(void **state)
{
    (void)state;
    pthread_t floods[3];
    flooding = true;
    for (int i = 0; i < 3; i++)
        pthread_create(&floods[i], NULL, flood, NULL);
    sleep_ms(100);
    for (int i = 0; i < 10; i++) {
        uint64_t before = now_ns();
        int fd = new_client();
        assert_true(raw_send_text(fd, "GET /debug/pprof/threads HTTP/1.1\r\n" HOST "\r\n"));
        reads_status(fd, 200);
        assert_true(now_ns() - before < 60 * SECOND);
        close(fd);
    }
    flooding = false;
    for (int i = 0; i < 3; i++)
        pthread_join(floods[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_in_a_row),
        cmocka_unit_test(test_requests_sent_ahead),
        cmocka_unit_test(test_http_1_0),
        cmocka_unit_test(test_a_body_is_waited_for),
        cmocka_unit_test(test_a_client_that_has_no_more_to_say),
        cmocka_unit_test(test_a_hundred_at_once),
        cmocka_unit_test(test_the_stuck_do_not_lock_others_out),
        cmocka_unit_test(test_a_reader_that_does_not_read),
        cmocka_unit_test(test_a_request_that_trickles),
        cmocka_unit_test(test_one_dump_for_all_who_ask),
        cmocka_unit_test(test_a_difference_has_what_came_and_what_went),
        cmocka_unit_test(test_differences_are_not_waited_for_by_nobody),
        cmocka_unit_test(test_clients_that_leave),
        cmocka_unit_test(test_a_flood_does_not_hold_up_a_dump),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
