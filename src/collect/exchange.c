/* exchange.c: one GET; see exchange.h. */
#include "collect/exchange.h"

#include "collect/reply.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Of what came and was not looked at yet. */
#define UNREAD_MOST 65536

struct exchange {
    struct dialler *dialler;
    const struct place *place;
    unsigned timeout;
    exchange_done *done;
    void *user;
    struct event *limit;
    struct dial *dial; /* NULL once there is a connection */
    struct bufferevent *connection;
    struct evbuffer *request;
    struct evbuffer *body;
    struct reply_reader reply;
};

static void forget(struct exchange *exchange)
{
    if (exchange->dial)
        dial_cancel(exchange->dial);
    if (exchange->connection)
        bufferevent_free(exchange->connection);
    if (exchange->limit)
        event_free(exchange->limit);
    if (exchange->request)
        evbuffer_free(exchange->request);
    if (exchange->body)
        evbuffer_free(exchange->body);
    free(exchange);
}

void exchange_cancel(struct exchange *exchange)
{
    forget(exchange);
}

static void finish(struct exchange *exchange, const struct outcome *outcome)
{
    struct evbuffer *body = exchange->body;
    exchange_done *done = exchange->done;
    void *user = exchange->user;
    exchange->body = NULL;
    forget(exchange);
    done(user, outcome, body);
    evbuffer_free(body);
}

static void on_limit(evutil_socket_t fd, short what, void *user)
{
    struct exchange *exchange = user;
    struct outcome outcome;
    (void)fd;
    (void)what;
    const char *during = exchange->dial                          ? dial_stage(exchange->dial)
                         : exchange->reply.part <= REPLY_HEADERS ? "waiting for an answer"
                                                                 : "receiving";
    outcome_set(&outcome, OUTCOME_TIMEOUT, "timed out after %u s, %s", exchange->timeout, during);
    finish(exchange, &outcome);
}

/* ---- what came ---- */

static bool is_type_of_profile(const char *type)
{
    static const char *const types[] = { "",
                                         "application/octet-stream",
                                         "binary/octet-stream",
                                         "application/gzip",
                                         "application/x-gzip",
                                         "application/x-protobuf",
                                         "application/protobuf",
                                         "application/vnd.google.protobuf" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcasecmp(type, types[i]) == 0)
            return true;
    return false;
}

/* "answers 404: unknown profile 'x'": the first line of an error's body says more than its name. */
static void tell_status(struct exchange *exchange, struct outcome *outcome)
{
    char line[81];
    ev_ssize_t length = evbuffer_copyout(exchange->body, line, sizeof line - 1);
    int status = exchange->reply.status;
    line[length > 0 ? length : 0] = 0;
    line[strcspn(line, "\r\n")] = 0;
    bool is_text = strcasecmp(exchange->reply.type, "text/plain") == 0;
    if (status >= 300 && status < 400)
        outcome_set(outcome, OUTCOME_STATUS, "answers %d: redirects are not followed", status);
    else if (is_text && *line)
        outcome_set(outcome, OUTCOME_STATUS, "answers %d: %s", status, line);
    else
        outcome_set(outcome, OUTCOME_STATUS, "answers %d", status);
    outcome->status = status;
}

static void judge(struct exchange *exchange, struct outcome *outcome)
{
    const struct reply_reader *reply = &exchange->reply;
    if (reply->status != 200)
        tell_status(exchange, outcome);
    else if (reply->has_coding)
        outcome_set(outcome, OUTCOME_NOT_HTTP, "has a Content-Encoding that was not asked for");
    else if (!is_type_of_profile(reply->type))
        outcome_set(outcome, OUTCOME_TYPE, "is of type %s, which is no profile", reply->type);
    else
        outcome_set(outcome, OUTCOME_OK, "%s", "");
}

static void go_on(struct exchange *exchange, enum reply_progress progress, struct outcome *outcome)
{
    if (progress == REPLY_MORE)
        return;
    if (progress == REPLY_DONE)
        judge(exchange, outcome);
    finish(exchange, outcome);
}

static void on_input(struct bufferevent *connection, void *user)
{
    struct exchange *exchange = user;
    struct outcome outcome;
    enum reply_progress progress =
        reply_feed(&exchange->reply, bufferevent_get_input(connection), &outcome);
    go_on(exchange, progress, &outcome);
}

static void on_event(struct bufferevent *connection, short what, void *user)
{
    struct exchange *exchange = user;
    struct outcome outcome;
    int error = what & BEV_EVENT_ERROR ? EVUTIL_SOCKET_ERROR() : 0;
    enum reply_progress progress =
        reply_feed(&exchange->reply, bufferevent_get_input(connection), &outcome);
    if (progress == REPLY_MORE && error) {
        outcome_set(&outcome, OUTCOME_CUT_SHORT, "the connection broke: %s",
                    error == ECONNRESET ? "reset by the target" : strerror(error));
        progress = REPLY_FAILED;
    } else if (progress == REPLY_MORE) {
        progress = reply_end(&exchange->reply, &outcome);
    }
    go_on(exchange, progress, &outcome);
}

/* ---- what is sent ---- */

/* A listener of snag's takes no name but localhost, so that no page of a browser can reach it by
 * one that it made up; and of its addresses the one it is asked at, which behind a forwarded port
 * or a virtual address is not the one that was dialled. So localhost is what always works. Before a
 * prefix there is a proxy, which goes by the name. */
static void write_host(const struct place *place, struct evbuffer *request)
{
    bool is_six = strchr(place->host, ':') != NULL;
    if (place->is_unix || !*place->prefix)
        evbuffer_add_printf(request, "Host: localhost\r\n");
    else
        evbuffer_add_printf(request, "Host: %s%s%s:%u\r\n", is_six ? "[" : "", place->host,
                            is_six ? "]" : "", place->port);
}

/* Path and token are the caller's, and may be gone once it is connected. */
static int prepare_request(struct exchange *exchange, const struct exchange_wish *wish)
{
    struct evbuffer *request = exchange->request = evbuffer_new();
    if (!request)
        return -ENOMEM;
    evbuffer_add_printf(request, "GET %s%s HTTP/1.1\r\n", wish->place->prefix, wish->path);
    write_host(wish->place, request);
    if (wish->token)
        evbuffer_add_printf(request, "Authorization: Bearer %s\r\n", wish->token);
    return evbuffer_add_printf(request, "User-Agent: snag-collect\r\nConnection: close\r\n\r\n") < 0
               ? -ENOMEM
               : 0;
}

static void on_connected(void *user, int fd, const struct outcome *result)
{
    struct exchange *exchange = user;
    struct outcome outcome = *result;
    exchange->dial = NULL;
    if (fd < 0) {
        finish(exchange, &outcome);
        return;
    }
    exchange->connection =
        bufferevent_socket_new(exchange->dialler->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!exchange->connection)
        close(fd);
    if (!exchange->connection ||
        bufferevent_write_buffer(exchange->connection, exchange->request) != 0) {
        outcome_set(&outcome, OUTCOME_NO_MEMORY, "no memory here");
        finish(exchange, &outcome);
        return;
    }
    bufferevent_setwatermark(exchange->connection, EV_READ, 0, UNREAD_MOST);
    bufferevent_setcb(exchange->connection, on_input, NULL, on_event, exchange);
    bufferevent_enable(exchange->connection, EV_READ | EV_WRITE);
}

struct exchange *exchange_start(struct dialler *dialler, const struct exchange_wish *wish,
                                exchange_done *done, void *user)
{
    const struct timeval limit = { .tv_sec = wish->timeout };
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->dialler = dialler;
    exchange->place = wish->place;
    exchange->timeout = wish->timeout;
    exchange->done = done;
    exchange->user = user;
    exchange->body = evbuffer_new();
    exchange->limit = evtimer_new(dialler->base, on_limit, exchange);
    if (exchange->body && exchange->limit && prepare_request(exchange, wish) == 0 &&
        evtimer_add(exchange->limit, &limit) == 0) {
        reply_begin(&exchange->reply, exchange->body, wish->most);
        exchange->dial = dial_start(dialler, wish->place, on_connected, exchange);
    }
    if (!exchange->dial) {
        forget(exchange);
        return NULL;
    }
    return exchange;
}
