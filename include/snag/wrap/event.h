/* event.h: libevent's objects with the function that made them: libevent.event_base, .event,
 * .evbuffer, .bufferevent, .evconnlistener, .evhttp, .evhttp_connection, .evhttp_request.
 *
 *     #include <snag/wrap/event.h>   last of the includes; see wrap.h
 *
 * Includes libevent's own headers; snag's library does not need them. An object is live as long as
 * it is the program's to free: it leaves the inventory when it is handed over to another, as a
 * request is by evhttp_make_request or a bufferevent to the filter that closes it on free, and
 * comes back by evhttp_request_own. Include <event2/bufferevent_ssl.h> before, and its calls
 * are counted as well. */
#ifndef SNAG_WRAP_EVENT_H
#define SNAG_WRAP_EVENT_H

#include <snag/wrap/wrap.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

SNAG_WRAP_INVENTORY(snag_wrap_event_bases, "libevent.event_base");
SNAG_WRAP_INVENTORY(snag_wrap_events, "libevent.event");
SNAG_WRAP_INVENTORY(snag_wrap_evbuffers, "libevent.evbuffer");
SNAG_WRAP_INVENTORY(snag_wrap_bufferevents, "libevent.bufferevent");
SNAG_WRAP_INVENTORY(snag_wrap_listeners, "libevent.evconnlistener");
SNAG_WRAP_INVENTORY(snag_wrap_https, "libevent.evhttp");
SNAG_WRAP_INVENTORY(snag_wrap_connections, "libevent.evhttp_connection");
SNAG_WRAP_INVENTORY(snag_wrap_requests, "libevent.evhttp_request");

/* ---- Bases and events ---- */

SNAG_WRAP_MAKER(snag_wrap_event_bases, struct event_base *, event_base_new, (SNAG_WRAP_PLACE), ())
SNAG_WRAP_MAKER(snag_wrap_event_bases, struct event_base *, event_base_new_with_config,
                (SNAG_WRAP_PLACE, const struct event_config *config), (config))
SNAG_WRAP_FREER(snag_wrap_event_bases, event_base_free, struct event_base *)
#define event_base_new() snag_wrap_event_base_new(SNAG_WRAP_HERE)
#define event_base_new_with_config(...)                                                            \
    snag_wrap_event_base_new_with_config(SNAG_WRAP_HERE, __VA_ARGS__)
#define event_base_free snag_wrap_event_base_free

SNAG_WRAP_MAKER(snag_wrap_events, struct event *, event_new,
                (SNAG_WRAP_PLACE, struct event_base *base, evutil_socket_t fd, short what,
                 event_callback_fn callback, void *argument),
                (base, fd, what, callback, argument))
SNAG_WRAP_FREER(snag_wrap_events, event_free, struct event *)
#define event_new(...) snag_wrap_event_new(SNAG_WRAP_HERE, __VA_ARGS__)
#define event_free snag_wrap_event_free

/* ---- Buffers ---- */

SNAG_WRAP_MAKER(snag_wrap_evbuffers, struct evbuffer *, evbuffer_new, (SNAG_WRAP_PLACE), ())
SNAG_WRAP_FREER(snag_wrap_evbuffers, evbuffer_free, struct evbuffer *)
#define evbuffer_new() snag_wrap_evbuffer_new(SNAG_WRAP_HERE)
#define evbuffer_free snag_wrap_evbuffer_free

SNAG_WRAP_MAKER(snag_wrap_bufferevents, struct bufferevent *, bufferevent_socket_new,
                (SNAG_WRAP_PLACE, struct event_base *base, evutil_socket_t fd, int options),
                (base, fd, options))
SNAG_WRAP_FREER(snag_wrap_bufferevents, bufferevent_free, struct bufferevent *)
#define bufferevent_socket_new(...) snag_wrap_bufferevent_socket_new(SNAG_WRAP_HERE, __VA_ARGS__)
#define bufferevent_free snag_wrap_bufferevent_free

SNAG_WRAP_FUNCTION int snag_wrap_bufferevent_pair_new(SNAG_WRAP_PLACE, struct event_base *base,
                                                      int options, struct bufferevent *pair[2])
{
    SNAG_WRAP_BEGIN();
    int status = bufferevent_pair_new(base, options, pair);
    if (status == 0) {
        SNAG_WRAP_MADE(snag_wrap_bufferevents, pair[0], 0);
        SNAG_WRAP_MADE(snag_wrap_bufferevents, pair[1], 0);
    }
    return status;
}

#define bufferevent_pair_new(...) snag_wrap_bufferevent_pair_new(SNAG_WRAP_HERE, __VA_ARGS__)

/* UPPER frees LOWER with itself, if it was made so. */
#define SNAG_WRAP_LAYERED(upper, lower, options)                                                   \
    do {                                                                                           \
        if (upper)                                                                                 \
            SNAG_WRAP_MADE(snag_wrap_bufferevents, upper, 0);                                      \
        if ((upper) && ((options)&BEV_OPT_CLOSE_ON_FREE))                                          \
            SNAG_WRAP_ENDED(snag_wrap_bufferevents, lower);                                        \
    } while (0)

SNAG_WRAP_FUNCTION struct bufferevent *
snag_wrap_bufferevent_filter_new(SNAG_WRAP_PLACE, struct bufferevent *lower,
                                 bufferevent_filter_cb input, bufferevent_filter_cb output,
                                 int options, void (*free_context)(void *), void *context)
{
    SNAG_WRAP_BEGIN();
    struct bufferevent *made =
        bufferevent_filter_new(lower, input, output, options, free_context, context);
    SNAG_WRAP_LAYERED(made, lower, options);
    return made;
}

#define bufferevent_filter_new(...) snag_wrap_bufferevent_filter_new(SNAG_WRAP_HERE, __VA_ARGS__)

#ifdef EVENT2_BUFFEREVENT_SSL_H_INCLUDED_
SNAG_WRAP_MAKER(snag_wrap_bufferevents, struct bufferevent *, bufferevent_openssl_socket_new,
                (SNAG_WRAP_PLACE, struct event_base *base, evutil_socket_t fd, struct ssl_st *ssl,
                 enum bufferevent_ssl_state state, int options),
                (base, fd, ssl, state, options))
#define bufferevent_openssl_socket_new(...)                                                        \
    snag_wrap_bufferevent_openssl_socket_new(SNAG_WRAP_HERE, __VA_ARGS__)

SNAG_WRAP_FUNCTION struct bufferevent *
snag_wrap_bufferevent_openssl_filter_new(SNAG_WRAP_PLACE, struct event_base *base,
                                         struct bufferevent *lower, struct ssl_st *ssl,
                                         enum bufferevent_ssl_state state, int options)
{
    SNAG_WRAP_BEGIN();
    struct bufferevent *made = bufferevent_openssl_filter_new(base, lower, ssl, state, options);
    SNAG_WRAP_LAYERED(made, lower, options);
    return made;
}

#define bufferevent_openssl_filter_new(...)                                                        \
    snag_wrap_bufferevent_openssl_filter_new(SNAG_WRAP_HERE, __VA_ARGS__)
#endif

/* ---- Listeners ---- */

SNAG_WRAP_MAKER(snag_wrap_listeners, struct evconnlistener *, evconnlistener_new,
                (SNAG_WRAP_PLACE, struct event_base *base, evconnlistener_cb callback,
                 void *argument, unsigned flags, int backlog, evutil_socket_t fd),
                (base, callback, argument, flags, backlog, fd))
SNAG_WRAP_MAKER(snag_wrap_listeners, struct evconnlistener *, evconnlistener_new_bind,
                (SNAG_WRAP_PLACE, struct event_base *base, evconnlistener_cb callback,
                 void *argument, unsigned flags, int backlog, const struct sockaddr *address,
                 int length),
                (base, callback, argument, flags, backlog, address, length))
SNAG_WRAP_FREER(snag_wrap_listeners, evconnlistener_free, struct evconnlistener *)
#define evconnlistener_new(...) snag_wrap_evconnlistener_new(SNAG_WRAP_HERE, __VA_ARGS__)
#define evconnlistener_new_bind(...) snag_wrap_evconnlistener_new_bind(SNAG_WRAP_HERE, __VA_ARGS__)
#define evconnlistener_free snag_wrap_evconnlistener_free

/* ---- HTTP ---- */

SNAG_WRAP_MAKER(snag_wrap_https, struct evhttp *, evhttp_new,
                (SNAG_WRAP_PLACE, struct event_base *base), (base))
SNAG_WRAP_FREER(snag_wrap_https, evhttp_free, struct evhttp *)
#define evhttp_new(...) snag_wrap_evhttp_new(SNAG_WRAP_HERE, __VA_ARGS__)
#define evhttp_free snag_wrap_evhttp_free

/* The other server frees it with itself. */
SNAG_WRAP_FUNCTION int snag_wrap_evhttp_add_virtual_host(struct evhttp *http, const char *pattern,
                                                         struct evhttp *host)
{
    int status = evhttp_add_virtual_host(http, pattern, host);
    if (status == 0)
        SNAG_WRAP_ENDED(snag_wrap_https, host);
    return status;
}

#define evhttp_add_virtual_host snag_wrap_evhttp_add_virtual_host

SNAG_WRAP_MAKER(snag_wrap_connections, struct evhttp_connection *, evhttp_connection_base_new,
                (SNAG_WRAP_PLACE, struct event_base *base, struct evdns_base *names,
                 const char *address, unsigned short port),
                (base, names, address, port))
SNAG_WRAP_FREER(snag_wrap_connections, evhttp_connection_free, struct evhttp_connection *)
#define evhttp_connection_base_new(...)                                                            \
    snag_wrap_evhttp_connection_base_new(SNAG_WRAP_HERE, __VA_ARGS__)
#define evhttp_connection_free snag_wrap_evhttp_connection_free

/* Not live before: it was made by evhttp_request_new, or is one that a callback was given. */
SNAG_WRAP_FUNCTION void snag_wrap_evhttp_request_own(SNAG_WRAP_PLACE,
                                                     struct evhttp_request *request)
{
    SNAG_WRAP_BEGIN();
    evhttp_request_own(request);
    SNAG_WRAP_MADE(snag_wrap_requests, request, 0);
}

SNAG_WRAP_MAKER(snag_wrap_requests, struct evhttp_request *, evhttp_request_new,
                (SNAG_WRAP_PLACE, void (*callback)(struct evhttp_request *, void *),
                 void *argument),
                (callback, argument))
SNAG_WRAP_FREER(snag_wrap_requests, evhttp_request_free, struct evhttp_request *)
#define evhttp_request_new(...) snag_wrap_evhttp_request_new(SNAG_WRAP_HERE, __VA_ARGS__)
#define evhttp_request_own(...) snag_wrap_evhttp_request_own(SNAG_WRAP_HERE, __VA_ARGS__)
#define evhttp_request_free snag_wrap_evhttp_request_free

/* The connection owns it from the call on, also when that fails. */
SNAG_WRAP_FUNCTION int snag_wrap_evhttp_make_request(struct evhttp_connection *connection,
                                                     struct evhttp_request *request,
                                                     enum evhttp_cmd_type type, const char *uri)
{
    SNAG_WRAP_ENDED(snag_wrap_requests, request);
    return evhttp_make_request(connection, request, type, uri);
}

#define evhttp_make_request snag_wrap_evhttp_make_request

#if LIBEVENT_VERSION_NUMBER >= 0x02010000
SNAG_WRAP_FREER(snag_wrap_event_bases, event_base_free_nofinalize, struct event_base *)
#define event_base_free_nofinalize snag_wrap_event_base_free_nofinalize

/* The loop frees it when it is idle. */
SNAG_WRAP_FUNCTION int snag_wrap_event_free_finalize(unsigned flags, struct event *event,
                                                     event_finalize_callback_fn callback)
{
    SNAG_WRAP_ENDED(snag_wrap_events, event);
    return event_free_finalize(flags, event, callback);
}

#define event_free_finalize snag_wrap_event_free_finalize

SNAG_WRAP_FUNCTION struct evhttp_connection *snag_wrap_evhttp_connection_base_bufferevent_new(
    SNAG_WRAP_PLACE, struct event_base *base, struct evdns_base *names, struct bufferevent *stream,
    const char *address, unsigned short port)
{
    SNAG_WRAP_BEGIN();
    struct evhttp_connection *made =
        evhttp_connection_base_bufferevent_new(base, names, stream, address, port);
    if (made) {
        SNAG_WRAP_MADE(snag_wrap_connections, made, 0);
        SNAG_WRAP_ENDED(snag_wrap_bufferevents, stream);
    }
    return made;
}

#define evhttp_connection_base_bufferevent_new(...)                                                \
    snag_wrap_evhttp_connection_base_bufferevent_new(SNAG_WRAP_HERE, __VA_ARGS__)

SNAG_WRAP_FREER(snag_wrap_connections, evhttp_connection_free_on_completion,
                struct evhttp_connection *)
#define evhttp_connection_free_on_completion snag_wrap_evhttp_connection_free_on_completion
#endif

#endif
