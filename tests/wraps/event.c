/* event.c: libevent's objects, and who has to free them. Compiled as C and as C++. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <snag/wrap/event.h>

static struct event_base *base;
static struct evhttp *server;
static struct bufferevent *lower;

static void on_event(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    (void)argument;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *argument)
{
    (void)listener;
    (void)fd;
    (void)address;
    (void)length;
    (void)argument;
}

static struct sockaddr_in loopback(void)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static const struct sockaddr *any_port(void)
{
    static struct sockaddr_in address;
    static union {
        const struct sockaddr_in *in;
        const struct sockaddr *any;
    } at;
    address = loopback();
    at.in = &address;
    return at.any;
}

#define MAKER(type, name, call)                                                                    \
    APART struct type *name(void)                                                                  \
    {                                                                                              \
        return call;                                                                               \
    }

MAKER(event_base, by_base_new, event_base_new())
MAKER(event, by_event_new, event_new(base, -1, EV_PERSIST, on_event, NOTHING))
MAKER(event, by_evtimer_new, evtimer_new(base, on_event, NOTHING))
MAKER(evbuffer, by_evbuffer_new, evbuffer_new())
MAKER(bufferevent, by_socket_new, bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE))
MAKER(bufferevent, by_filter_new,
      bufferevent_filter_new(lower, NOTHING, NOTHING, BEV_OPT_CLOSE_ON_FREE, NOTHING, NOTHING))
MAKER(evconnlistener, by_listener_new,
      evconnlistener_new(base, on_accept, NOTHING, LEV_OPT_CLOSE_ON_FREE, -1,
                         socket(AF_INET, SOCK_STREAM, 0)))
MAKER(evconnlistener, by_new_bind,
      evconnlistener_new_bind(base, on_accept, NOTHING, LEV_OPT_CLOSE_ON_FREE, -1, any_port(),
                              sizeof(struct sockaddr_in)))
MAKER(evhttp, by_evhttp_new, evhttp_new(base))
MAKER(evhttp_connection, by_connection_new,
      evhttp_connection_base_new(base, NOTHING, "127.0.0.1", 1))
MAKER(evhttp_connection, by_connection_over,
      evhttp_connection_base_bufferevent_new(base, NOTHING, lower, "127.0.0.1", 1))

APART struct event_base *by_new_with_config(void)
{
    struct event_config *config = event_config_new();
    struct event_base *made = event_base_new_with_config(config);
    event_config_free(config);
    return made;
}

static void bufferevents(void)
{
    struct bufferevent *pair[2];
    CHECK_PAIR("libevent.bufferevent", struct bufferevent, by_socket_new, bufferevent_free);
    EXPECT(bufferevent_pair_new(base, 0, pair) == 0);
    check_held(__LINE__, "libevent.bufferevent", 2, "bufferevents");
    bufferevent_free(pair[0]);
    bufferevent_free(pair[1]);
    lower = by_socket_new();
    CHECK_PAIR("libevent.bufferevent", struct bufferevent, by_filter_new, bufferevent_free);
    lower = by_socket_new();
    CHECK_PAIR("libevent.evhttp_connection", struct evhttp_connection, by_connection_over,
               evhttp_connection_free);
    EXPECT(live("libevent.bufferevent") == 0);
}

static struct evhttp_request *owned;
static int answers;

APART void keep(struct evhttp_request *request)
{
    evhttp_request_own(request);
}

static void on_answer(struct evhttp_request *request, void *argument)
{
    (void)argument;
    EXPECT(request && evhttp_request_get_response_code(request) == HTTP_OK);
    answers++;
    if (request) {
        owned = request;
        keep(request);
    }
    event_base_loopbreak(base);
}

static void on_request(struct evhttp_request *request, void *argument)
{
    (void)argument;
    evhttp_send_reply(request, HTTP_OK, "OK", NOTHING);
}

APART struct evhttp_request *by_request_new(void)
{
    return evhttp_request_new(on_answer, NOTHING);
}

static unsigned short port_of(struct evhttp_bound_socket *bound)
{
    struct sockaddr_in address;
    union {
        struct sockaddr_in *in;
        struct sockaddr *any;
    } at;
    socklen_t length = sizeof address;
    at.in = &address;
    getsockname(evhttp_bound_socket_get_fd(bound), at.any, &length);
    return ntohs(address.sin_port);
}

/* A request is the caller's, the connection's, and the caller's again. */
static void request_changes_hands(void)
{
    unsigned short port = port_of(evhttp_bind_socket_with_handle(server, "127.0.0.1", 0));
    struct evhttp_connection *connection =
        evhttp_connection_base_new(base, NOTHING, "127.0.0.1", port);
    struct evhttp_request *request = by_request_new();
    check_held(__LINE__, "libevent.evhttp_request", 1, "by_request_new");
    EXPECT(evhttp_make_request(connection, request, EVHTTP_REQ_GET, "/") == 0);
    EXPECT(live("libevent.evhttp_request") == 0);
    event_base_dispatch(base);
    EXPECT(answers == 1);
    check_held(__LINE__, "libevent.evhttp_request", 1, "keep");
    evhttp_request_free(owned);
    EXPECT(live("libevent.evhttp_request") == 0);
    evhttp_connection_free(connection);
    EXPECT(live("libevent.evhttp_connection") == 0);
}

static void on_end(struct event *event, void *argument)
{
    (void)event;
    (void)argument;
}

static void freed_later(void)
{
    struct event *event = by_event_new();
    EXPECT(event_free_finalize(0, event, on_end) == 0);
    EXPECT(live("libevent.event") == 0);
}

static void http(void)
{
    struct evhttp *host;
    CHECK_PAIR("libevent.evhttp", struct evhttp, by_evhttp_new, evhttp_free);
    server = by_evhttp_new();
    evhttp_set_gencb(server, on_request, NOTHING);
    host = by_evhttp_new();
    EXPECT(live("libevent.evhttp") == 2);
    EXPECT(evhttp_add_virtual_host(server, "*.example.com", host) == 0);
    EXPECT(live("libevent.evhttp") == 1);
    request_changes_hands();
    evhttp_free(server);
    EXPECT(live("libevent.evhttp") == 0);
}

int main(void)
{
    void (*free_by_pointer)(struct evbuffer *) = evbuffer_free;
    CHECK_PAIR("libevent.event_base", struct event_base, by_base_new, event_base_free);
    CHECK_PAIR("libevent.event_base", struct event_base, by_new_with_config,
               event_base_free_nofinalize);
    base = by_base_new();
    CHECK_PAIR("libevent.event", struct event, by_event_new, event_free);
    CHECK_PAIR("libevent.event", struct event, by_evtimer_new, event_free);
    CHECK_PAIR("libevent.evbuffer", struct evbuffer, by_evbuffer_new, evbuffer_free);
    CHECK_PAIR("libevent.evbuffer", struct evbuffer, by_evbuffer_new, free_by_pointer);
    CHECK_PAIR("libevent.evconnlistener", struct evconnlistener, by_listener_new,
               evconnlistener_free);
    CHECK_PAIR("libevent.evconnlistener", struct evconnlistener, by_new_bind, evconnlistener_free);
    CHECK_PAIR("libevent.evhttp_connection", struct evhttp_connection, by_connection_new,
               evhttp_connection_free);
    bufferevents();
    http();
    freed_later();
    event_base_free(base);
    return checks_end();
}
