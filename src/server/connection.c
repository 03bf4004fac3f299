/* connection.c: one client, from accept to close; see connection.h.
 *
 *     IDLE -> HEAD -> BODY -> BUSY -> WRITING -> IDLE
 *               \______\________________/   \-> LINGERING
 *
 * Every state but BUSY has a deadline, and one timer keeps it: an idle client
 * may stay for 30 s, a request must be complete 10 s after its first byte,
 * however it trickles, and a reply must move within any 10 s. BUSY ends by itself: a
 * dump has its own time limit, a difference its seconds.
 *
 * After a reply to a request that was not read to its end, closing at once
 * would make the kernel answer the rest with a reset, and the reply could be lost: the
 * connection lingers, sending nothing more and throwing away what comes. */
#include "server/connection.h"

#include "server/access.h"
#include "server/exchange.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IDLE_SECONDS 30
#define REQUEST_SECONDS 10
#define WRITE_SECONDS 10
#define LINGER_SECONDS 2
#define LINGER_BYTES ((size_t)1 << 20)

/* What a client may send ahead while it waits for a reply. */
#define INPUT_MOST (REQUEST_HEAD_MOST + REQUEST_BODY_MOST + 1024)
#define WRITE_AT_ONCE ((size_t)256 << 10)

enum state { IDLE, HEAD, BODY, BUSY, WRITING, LINGERING };

struct connection {
    struct exchange exchange;
    struct connections *all;
    LIST_ENTRY(connection) link;
    struct bufferevent *bytes;
    struct event deadline;
    enum state state;
    uint64_t since_ns; /* when it entered the state or, in WRITING, when bytes last moved */
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } local;          /* the address it came in at */
    bool has_served;  /* at least one reply has gone out */
    bool keep_alive;  /* after this reply */
    bool was_cut;     /* the request was not read to its end */
    bool client_done; /* the client sends no more */
    size_t lingered;  /* bytes thrown away */
};

static uint64_t now_ns(void)
{
    struct timespec now = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct evbuffer *input_of(struct connection *connection)
{
    return bufferevent_get_input(connection->bytes);
}

static struct evbuffer *output_of(struct connection *connection)
{
    return bufferevent_get_output(connection->bytes);
}

static bool is_reading(const struct connection *connection)
{
    return connection->state == IDLE || connection->state == HEAD || connection->state == BODY;
}

static bool waits_for_difference(const struct connection *connection)
{
    return connection->exchange.is_ordered && connection->exchange.order.query.seconds > 0;
}

/* SECONDS 0: without a deadline. */
static void enter(struct connection *connection, enum state state, int seconds)
{
    const struct timeval deadline = { seconds, 0 };
    connection->state = state;
    connection->since_ns = now_ns();
    if (seconds > 0)
        evtimer_add(&connection->deadline, &deadline);
    else
        evtimer_del(&connection->deadline);
}

/* A reply that moves is not late. */
static void on_output_changed(struct evbuffer *output, const struct evbuffer_cb_info *change,
                              void *argument)
{
    struct connection *connection = argument;
    (void)output;
    if (change->n_deleted > 0 && connection->state == WRITING)
        enter(connection, WRITING, WRITE_SECONDS);
}

static void close_connection(struct connection *connection)
{
    struct connections *all = connection->all;
    routes_cancel(&connection->exchange);
    reply_free(&connection->exchange.reply);
    evtimer_del(&connection->deadline);
    /* libevent frees it later, when no event of it can be under way. */
    evbuffer_remove_cb(output_of(connection), on_output_changed, connection);
    bufferevent_free(connection->bytes);
    LIST_REMOVE(connection, link);
    free(connection);
    all->count--;
    all->closed(all);
}

/* Sends the reply that has been made. */
static void send_reply(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;
    const struct request *request = &exchange->request;
    bool is_head = request->method && strcmp(request->method, "HEAD") == 0;
    reply_send(&exchange->reply, output_of(connection), is_head, connection->keep_alive,
               request->is_http_1_0);
    reply_free(&exchange->reply);
    enter(connection, WRITING, WRITE_SECONDS);
}

static void report_finished(struct exchange *exchange)
{
    send_reply((struct connection *)exchange);
}

/* Refuses what cannot be read as a request; nothing after it can be, either. */
static void refuse(struct connection *connection, int status, const char *why)
{
    struct exchange *exchange = &connection->exchange;
    connection->keep_alive = false;
    connection->was_cut = true;
    if (!reply_init(&exchange->reply)) {
        close_connection(connection);
        return;
    }
    reply_error(&exchange->reply, status, "%s", why);
    send_reply(connection);
}

static void answer(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;
    struct evbuffer *input = input_of(connection);
    size_t body = exchange->request.content_length;
    exchange->request.body = body > 0 ? (const char *)evbuffer_pullup(input, (ev_ssize_t)body) : "";
    connection->keep_alive = exchange->request.keep_alive;
    if (!reply_init(&exchange->reply) || !exchange->request.body) {
        close_connection(connection);
        return;
    }
    enter(connection, BUSY, 0);
    bool is_complete = !access_allowed(&exchange->request, &connection->local.any,
                                       exchange->site->token, &exchange->reply) ||
                       routes_answer(exchange);
    exchange->request.body = NULL;
    evbuffer_drain(input, body);
    if (is_complete)
        send_reply(connection);
}

/* Reads the head. 1: done; 0: it is not complete yet; -1: it was refused. */
static int read_head(struct connection *connection)
{
    struct request *request = &connection->exchange.request;
    struct evbuffer *input = input_of(connection);
    size_t length = evbuffer_get_length(input);
    if (length > REQUEST_HEAD_MOST + 1)
        length = REQUEST_HEAD_MOST + 1;
    const char *why = "";
    const char *bytes = (const char *)evbuffer_pullup(input, (ev_ssize_t)length);
    ssize_t head = bytes ? request_head_length(bytes, length, &why) : 0;
    if (head == 0)
        return 0;
    int status = head < 0 ? (int)-head : request_parse(request, bytes, (size_t)head, &why);
    if (status) {
        refuse(connection, status, why);
        return -1;
    }
    evbuffer_drain(input, (size_t)head);
    if (request->expects_continue && evbuffer_get_length(input) < request->content_length)
        evbuffer_add_printf(output_of(connection), "HTTP/1.1 100 Continue\r\n\r\n");
    connection->state = BODY;
    return 1;
}

/* Empty lines before a request are no part of it (RFC 9112, 2.2). */
static void skip_empty_lines(struct evbuffer *input)
{
    char c;
    while (evbuffer_copyout(input, &c, 1) == 1 && (c == '\r' || c == '\n'))
        evbuffer_drain(input, 1);
}

/* Does what can be done with the bytes there are. CONNECTION may be gone afterwards. */
static void advance(struct connection *connection)
{
    struct evbuffer *input = input_of(connection);
    if (connection->state == IDLE) {
        skip_empty_lines(input);
        if (evbuffer_get_length(input) == 0) {
            if (connection->client_done)
                close_connection(connection);
            return;
        }
        connection->exchange.request.method = NULL;
        enter(connection, HEAD, REQUEST_SECONDS);
    }
    bool is_complete = connection->state == BODY;
    if (connection->state == HEAD) {
        int status = read_head(connection);
        if (status < 0)
            return;
        is_complete = status > 0;
    }
    if (is_complete)
        is_complete = evbuffer_get_length(input) >= connection->exchange.request.content_length;
    if (is_complete)
        answer(connection);
    else if (connection->client_done)
        refuse(connection, 400, "the request ended before it was complete");
}

static void linger(struct connection *connection)
{
    shutdown(bufferevent_getfd(connection->bytes), SHUT_WR);
    connection->lingered = 0;
    enter(connection, LINGERING, LINGER_SECONDS);
}

static void on_readable(struct bufferevent *bytes, void *argument)
{
    struct connection *connection = argument;
    (void)bytes;
    if (is_reading(connection)) {
        advance(connection);
        return;
    }
    if (connection->state != LINGERING)
        return; /* sent ahead: for when this reply is out */
    size_t length = evbuffer_get_length(input_of(connection));
    evbuffer_drain(input_of(connection), length);
    connection->lingered += length;
    if (connection->lingered > LINGER_BYTES)
        close_connection(connection);
}

/* All that was to be sent is with the kernel. */
static void on_written(struct bufferevent *bytes, void *argument)
{
    struct connection *connection = argument;
    (void)bytes;
    if (connection->state != WRITING)
        return; /* it was a 100 Continue */
    connection->has_served = true;
    bool has_more = evbuffer_get_length(input_of(connection)) > 0;
    if (connection->keep_alive && (has_more || !connection->client_done)) {
        enter(connection, IDLE, IDLE_SECONDS);
        advance(connection);
    } else if (!connection->client_done && (connection->was_cut || has_more)) {
        evbuffer_drain(input_of(connection), evbuffer_get_length(input_of(connection)));
        linger(connection);
    } else {
        close_connection(connection);
    }
}

/* The client has closed its side. One that only wants to say "no more
 * requests" (nc does) still gets its reply; but nobody waits seconds for a difference with
 * a closed connection. */
static void on_end_of_input(struct connection *connection)
{
    connection->client_done = true;
    if (is_reading(connection))
        advance(connection);
    else if (connection->state == LINGERING || waits_for_difference(connection))
        close_connection(connection);
}

static void on_event(struct bufferevent *bytes, short what, void *argument)
{
    struct connection *connection = argument;
    (void)bytes;
    if (what & BEV_EVENT_EOF)
        on_end_of_input(connection);
    else
        close_connection(connection);
}

/* A client that does not read: the kernel, too, is to keep nothing for it. */
static void reset_connection(struct connection *connection)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(bufferevent_getfd(connection->bytes), SOL_SOCKET, SO_LINGER, &at_once,
               sizeof at_once);
    close_connection(connection);
}

static void on_deadline(evutil_socket_t none, short what, void *argument)
{
    struct connection *connection = argument;
    (void)none;
    (void)what;
    if (connection->state == HEAD || connection->state == BODY)
        refuse(connection, 408, "the request was not complete within 10 seconds");
    else if (connection->state == WRITING)
        reset_connection(connection);
    else
        close_connection(connection);
}

static bool watch(struct connection *connection, int fd)
{
    struct event_base *base = connection->all->base;
    connection->bytes = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!connection->bytes)
        return false;
    bufferevent_setcb(connection->bytes, on_readable, on_written, on_event, connection);
    bufferevent_setwatermark(connection->bytes, EV_READ, 0, INPUT_MOST);
    bufferevent_set_max_single_write(connection->bytes, WRITE_AT_ONCE);
    return evbuffer_add_cb(output_of(connection), on_output_changed, connection) &&
           evtimer_assign(&connection->deadline, base, on_deadline, connection) == 0 &&
           bufferevent_enable(connection->bytes, EV_READ | EV_WRITE) == 0;
}

void connection_open(struct connections *connections, int fd)
{
    const int on = 1;
    struct connection *connection = calloc(1, sizeof *connection);
    socklen_t length = sizeof connection->local;
    if (!connection) {
        close(fd);
        return;
    }
    connection->all = connections;
    connection->exchange.site = connections->site;
    connection->exchange.finished = report_finished;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (getsockname(fd, &connection->local.any, &length) != 0 || !watch(connection, fd)) {
        if (connection->bytes)
            bufferevent_free(connection->bytes);
        else
            close(fd);
        free(connection);
        return;
    }
    LIST_INSERT_HEAD(&connections->list, connection, link);
    connections->count++;
    enter(connection, IDLE, IDLE_SECONDS);
}

void connections_close_all(struct connections *connections)
{
    while (!LIST_EMPTY(&connections->list))
        close_connection(LIST_FIRST(&connections->list));
}

/* How long it must have been in its state before another client may take its
 * place: a request on its way is given the time of a slow link, an idle one none. */
static uint64_t grace_ns(const struct connection *connection)
{
    switch (connection->state) {
    case LINGERING: return 0;
    case IDLE: return connection->has_served ? 0 : 250000000;
    case HEAD:
    case BODY: return 250000000;
    case WRITING: return 2000000000;
    case BUSY: break;
    }
    return UINT64_MAX;
}

/* Whether it is the client that keeps us waiting: while a dump is made, nobody looks at
 * the sockets, and what has come meanwhile is not the client's delay. */
static bool is_waited_for(const struct connection *connection)
{
    if (connection->state == LINGERING)
        return true;
    short events = connection->state == WRITING ? POLLOUT : POLLIN;
    struct pollfd can = { .fd = bufferevent_getfd(connection->bytes), .events = events };
    return poll(&can, 1, 0) == 0;
}

bool connections_make_room(struct connections *connections)
{
    uint64_t now = now_ns();
    struct connection *longest = NULL;
    struct connection *connection;
    LIST_FOREACH(connection, &connections->list, link)
    {
        uint64_t grace = grace_ns(connection);
        if (grace == UINT64_MAX || now - connection->since_ns < grace)
            continue;
        if ((!longest || connection->since_ns < longest->since_ns) && is_waited_for(connection))
            longest = connection;
    }
    if (longest)
        close_connection(longest);
    return longest != NULL;
}
