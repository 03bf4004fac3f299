/* test_collect_parts.c proves single steps of the collector where a wrong byte counts: replies are
 * read the same in whatever pieces they come, and a broken one never takes more than it may; names
 * that a target gives itself stay in their folder; what is removed as old has a name of ours; a
 * failing target is told at doublings; what takes long runs beside the loop, and all of it is
 * handed back. */
#include "collect/health.h"
#include "collect/names.h"
#include "collect/place.h"
#include "collect/reply.h"
#include "collect/stored_name.h"
#include "collect/workers.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 64

struct result {
    enum reply_progress progress;
    enum outcome_kind kind;
    int status;
    char body[MOST + 1];
};

/* TEXT in pieces of PIECE bytes, then the end of the connection. */
static struct result read_in_pieces(const char *text, size_t length, size_t piece)
{
    struct result result = { .progress = REPLY_MORE };
    struct outcome outcome = { .kind = OUTCOME_OK };
    struct reply_reader reader;
    struct evbuffer *input = evbuffer_new();
    struct evbuffer *body = evbuffer_new();
    reply_begin(&reader, body, MOST);
    for (size_t at = 0; at < length && result.progress == REPLY_MORE; at += piece) {
        evbuffer_add(input, text + at, length - at < piece ? length - at : piece);
        result.progress = reply_feed(&reader, input, &outcome);
        assert_true(evbuffer_get_length(body) <= MOST);
        assert_true(evbuffer_get_length(input) <= REPLY_HEAD_MOST + piece);
    }
    if (result.progress == REPLY_MORE)
        result.progress = reply_end(&reader, &outcome);
    assert_int_not_equal(result.progress, REPLY_MORE);
    result.kind = result.progress == REPLY_FAILED ? outcome.kind : OUTCOME_OK;
    result.status = result.progress == REPLY_FAILED ? 0 : reader.status;
    evbuffer_remove(body, result.body, MOST);
    evbuffer_free(input);
    evbuffer_free(body);
    return result;
}

static void assert_same(const char *text, size_t length, const struct result *whole)
{
    static const size_t pieces[] = { 1, 2, 3, 7, 64 };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const struct result result = read_in_pieces(text, length, pieces[i]);
        assert_int_equal(result.progress, whole->progress);
        assert_int_equal(result.kind, whole->kind);
        if (whole->progress == REPLY_DONE) {
            assert_int_equal(result.status, whole->status);
            assert_string_equal(result.body, whole->body);
        }
    }
}

static const struct {
    const char *text;
    int status; /* 0: refused, as KIND */
    enum outcome_kind kind;
    const char *body;
} replies[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, 0, "hello" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", 200, 0, "hello" },
    { "HTTP/1.0 200 OK\nContent-Type: x\n\nuntil its end", 200, 0, "until its end" },
    { "HTTP/1.1 200 \r\ntransfer-encoding:chunked \r\n\r\n3\r\nabc\r\n02;x=\"y\"\r\nde\r\n0\r\nT: "
      "x\r\n\r\n",
      200, 0, "abcde" },
    { "HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
      "1\r\n\r\nx",
      200, 0, "x" },
    { "HTTP/1.1 204 No Content\r\n\r\n", 204, 0, "" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, "" },
    { "HTTP/1.1 404 No\r\nContent-Length: 10\r\n\r\nno profile", 404, 0, "no profile" },
    { "HTTP/1.1 500 No\r\nContent-Length: 9999999999\r\n\r\nbroken", 0, OUTCOME_CUT_SHORT, NULL },
    { "", 0, OUTCOME_CUT_SHORT, NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 0, OUTCOME_CUT_SHORT, NULL },
    { "HTTP/1.1 200 OK\r\nContent-Len", 0, OUTCOME_CUT_SHORT, NULL },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 0, OUTCOME_CUT_SHORT,
      NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n", 0, OUTCOME_TOO_LARGE, NULL },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n", 0, OUTCOME_TOO_LARGE, NULL },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n", 0,
      OUTCOME_NOT_HTTP, NULL },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 0, OUTCOME_NOT_HTTP, NULL },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 0, OUTCOME_NOT_HTTP, NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, OUTCOME_NOT_HTTP, NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 0, OUTCOME_NOT_HTTP,
      NULL },
    { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", 0, OUTCOME_TOO_LARGE,
      NULL },
    { "HTTP/1.1 200 OK\r\nno header\r\n\r\n", 0, OUTCOME_NOT_HTTP, NULL },
    { "HTTP/1.1 101 Switching\r\n\r\n", 0, OUTCOME_NOT_HTTP, NULL },
    { "HTTP/2 200\r\n\r\n", 0, OUTCOME_NOT_HTTP, NULL },
    { "HTTP/1.1 20\r\n\r\n", 0, OUTCOME_NOT_HTTP, NULL },
    { "220 mail.example ESMTP\r\n", 0, OUTCOME_NOT_HTTP, NULL },
};

static void replies_are_read_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        size_t length = strlen(replies[i].text);
        const struct result whole = read_in_pieces(replies[i].text, length, length + 1);
        assert_int_equal(whole.status, replies[i].status);
        if (replies[i].status == 0)
            assert_int_equal(whole.kind, replies[i].kind);
        if (replies[i].body)
            assert_string_equal(whole.body, replies[i].body);
        assert_same(replies[i].text, length, &whole);
    }
}

/* Bodies of errors are cut where the limit is, which may be within a piece. */
static void broken_replies_are_bounded(void **state)
{
    char text[512];
    uint32_t random = 12345;
    (void)state;
    for (int round = 0; round < 40000; round++) {
        const char *from = replies[(unsigned)round % (sizeof replies / sizeof *replies)].text;
        size_t length = strlen(from);
        memcpy(text, from, length);
        for (int changes = 1 + round % 3; changes > 0 && length > 0; changes--) {
            random = random * 1664525u + 1013904223u;
            text[(random >> 8) % length] = "\r\n\0: 0fF9;H\xff"[(random >> 3) % 12];
        }
        const struct result whole = read_in_pieces(text, length, length + 1);
        if (whole.progress == REPLY_FAILED || whole.status == 200)
            assert_same(text, length, &whole);
    }
}

static void an_endless_head_is_refused(void **state)
{
    static char text[4 * REPLY_HEAD_MOST];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "HTTP/1.1 200 OK\r\n", 17);
    assert_int_equal(read_in_pieces(text, sizeof text, 1000).kind, OUTCOME_NOT_HTTP);
    for (size_t at = 17; at + 6 <= sizeof text; at += 6)
        memcpy(text + at, "a: b\r\n", 6);
    assert_int_equal(read_in_pieces(text, sizeof text, 1000).kind, OUTCOME_NOT_HTTP);
}

/* ---- names ---- */

static void names_stay_in_their_folder(void **state)
{
    static const char *const bad[] = { "",     ".",    "..",   "../../etc", "/etc/passwd", "a/b",
                                       ".ssh", "a\nb", "\xff", "a b",       "%2e%2e" };
    char name[NAME_SIZE];
    char other[NAME_SIZE];
    char text[400];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        name_make_safe(bad[i], name);
        assert_true(name_is_safe(name, strlen(name)));
        assert_null(strchr(name, '/'));
    }
    memset(text, 'n', sizeof text - 1);
    text[sizeof text - 1] = 0;
    name_make_safe(text, name);
    text[300] = 'm';
    name_make_safe(text, other);
    assert_true(name_is_safe(name, strlen(name)));
    assert_string_not_equal(name, other);
    assert_false(name_is_safe("a/b", 3));
    assert_false(name_is_safe("..", 2));
}

static void stored_names_are_read_back(void **state)
{
    static const char *const others[] = { "20261130T202105Z",
                                          "20261130T202105Z.pb",
                                          "20261130T202105.pb.gz",
                                          "20261130T202105Z_.pb.gz",
                                          "20261130T202105Z-.pb.gz",
                                          "20261130T202105Z-a/b.pb.gz",
                                          "20261130T202105Z-.a.pb.gz",
                                          "20261130T202105Zx.pb.gz",
                                          "x20261130T202105Z.pb.gz",
                                          "2026113T202105Z.pb.gz",
                                          "notes.pb.gz",
                                          ".pb.gz",
                                          "" };
    char name[STORED_NAME_SIZE];
    char temporary[STORED_NAME_SIZE + 8];
    time_t when = 0;
    (void)state;
    for (unsigned number = 1; number <= 12; number += 11) {
        for (int has = 0; has < 2; has++) {
            stored_name_write(name, 1796070065, number, has ? "web-1_6060" : "");
            assert_true(stored_name_read(name, &when));
            assert_int_equal(when, 1796070065);
            assert_false(stored_name_is_temporary(name));
            stored_name_temporary(temporary, sizeof temporary, name);
            assert_true(stored_name_is_temporary(temporary));
            assert_false(stored_name_read(temporary, &when));
        }
    }
    stored_name_write(name, 1796070065, 1, "");
    assert_string_equal(name, "20261130T202105Z.pb.gz");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(stored_name_read(others[i], &when));
    assert_false(stored_name_is_temporary(".notes.tmp"));
    assert_false(stored_name_is_temporary(".tmp"));
}

static void places_are_read(void **state)
{
    static const char *const good[][2] = { { "10.0.0.5:6060", "10.0.0.5:6060" },
                                           { "[::1]:80", "[::1]:80" },
                                           { "http://web-1:8080/a/b/", "web-1:8080/a/b" },
                                           { "HTTP://web-1:8080", "web-1:8080" },
                                           { "unix:/run/a b.sock", "unix:/run/a b.sock" } };
    static const char *const bad[] = { "",      "a",        "a:",       "a:0",     "a:65536",
                                       ":80",   "a:80?x=1", "u:p@a:80", "a:80#f",  "https://a:80",
                                       "unix:", "a b:80",   "a:80/x y", "[::1:80", "a:80\r\nX: y" };
    struct place place;
    char why[200];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(place_read(good[i][0], &place, why, sizeof why), 0);
        assert_string_equal(place.text, good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why[0] = 0;
        assert_int_not_equal(place_read(bad[i], &place, why, sizeof why), 0);
        assert_true(why[0] != 0);
    }
}

/* ---- what is told ---- */

static void failures_are_told_at_doublings(void **state)
{
    struct health health = { .failures = 0 };
    char told[80] = "";
    (void)state;
    for (int i = 1; i <= 40;
         i++) /* the fifth is of another kind; so is the sixth, which was told */
        if (health_failed(&health, i == 5 || i == 7 ? 2 : 1))
            snprintf(told + strlen(told), sizeof told - strlen(told), "%d ", i);
    assert_string_equal(told, "1 2 4 5 8 16 32 ");
    assert_int_equal(health_well(&health), 40);
    assert_int_equal(health_well(&health), 0);
    assert_true(health_failed(&health, 1));
}

/* One that fails every other round is told of at doublings; one that really is down, again. */
static void what_comes_and_goes_is_told_at_doublings(void **state)
{
    struct health health = { .failures = 0 };
    char words[96];
    unsigned told = 0;
    unsigned well = 0;
    (void)state;
    for (unsigned round = 0; round < 1000; round++) {
        told += health_failed(&health, 2);
        health_words(&health, words, sizeof words);
        well += health_well(&health) > 0;
    }
    assert_int_equal(told, 10);
    assert_int_equal(well, 10);
    assert_string_equal(words, "; it comes and goes, 1000 times by now");
    for (unsigned round = 0; round < 16; round++)
        told += health_failed(&health, 2);
    assert_int_equal(told, 11);
    assert_int_equal(health_well(&health), 16);
    for (unsigned round = 0; round < 20; round++)
        health_well(&health);
    assert_true(health_failed(&health, 2));
    health_words(&health, words, sizeof words);
    assert_string_equal(words, "");
}

/* ---- workers ---- */

#define WORKS 50

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_t loop_thread;
static size_t run_count;
static size_t done_count;

static void pass_the_gate(struct work *work)
{
    (void)work;
    assert_false(pthread_equal(pthread_self(), loop_thread));
    pthread_mutex_lock(&gate);
    run_count++;
    pthread_mutex_unlock(&gate);
}

static void count_it(struct work *work)
{
    assert_true(pthread_equal(pthread_self(), loop_thread));
    done_count += work->was_run ? 1 : 1000;
}

/* Of the first half all are run; of the second those that had begun before the end. */
static void work_is_handed_back(void **state)
{
    static struct work works[2 * WORKS];
    struct event_base *base = event_base_new();
    struct workers *workers = workers_new(base, 3);
    (void)state;
    loop_thread = pthread_self();
    for (size_t i = 0; i < 2 * WORKS; i++)
        works[i] = (struct work){ .run = pass_the_gate, .done = count_it };
    for (size_t i = 0; i < WORKS; i++)
        workers_give(workers, &works[i]);
    while (done_count < WORKS)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(done_count, WORKS);
    assert_int_equal(run_count, WORKS);
    for (size_t i = WORKS; i < 2 * WORKS; i++)
        workers_give(workers, &works[i]);
    workers_free(workers);
    assert_int_equal(done_count % 1000 + done_count / 1000, 2 * WORKS);
    assert_int_equal(run_count, done_count % 1000);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_read_in_any_pieces),
        cmocka_unit_test(broken_replies_are_bounded),
        cmocka_unit_test(an_endless_head_is_refused),
        cmocka_unit_test(names_stay_in_their_folder),
        cmocka_unit_test(stored_names_are_read_back),
        cmocka_unit_test(places_are_read),
        cmocka_unit_test(failures_are_told_at_doublings),
        cmocka_unit_test(what_comes_and_goes_is_told_at_doublings),
        cmocka_unit_test(work_is_handed_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
