/* server.c: the listener; see server.h.
 *
 * At most 16 clients are served at a time. Further ones wait in the kernel's
 * queue; meanwhile, ten times a second, the client that has kept the others waiting
 * longest loses its place (connections_make_room), so that clients which are
 * stuck or mean no good cannot lock the operator out. Where the system refuses a client (no
 * descriptor left, say), that may last: we ask again after 0.1 s, for what lab_trim gives back,
 * then after 1 s, 2 s ... a minute. Without a client there is no timer. */
#include "server/server.h"

#include "server/address.h"
#include "server/connection.h"
#include "server/exchange.h"
#include "server/listen.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MOST 16
#define RETRY_US 100000
#define REFUSED_MOST_S 60

struct server {
    struct connections connections; /* first: closed() is given a pointer to it */
    struct site site;
    struct listening listening;
    struct event *acceptable;
    struct event *retry; /* a timer: look again whether there is room */
    bool is_full;
    unsigned refused_s; /* how long to wait when the next client is refused as well */
};

/* Stops accepting for a moment: the socket stays readable, and would wake us
 * again and again. */
static void wait_for_room(struct server *server, unsigned seconds)
{
    const struct timeval pause = { seconds, seconds ? 0 : RETRY_US };
    server->is_full = true;
    event_del(server->acceptable);
    evtimer_add(server->retry, &pause);
}

static void on_refused(struct server *server, int error)
{
    if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
        return; /* nothing is waiting any more, or the next may be had */
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
        lab_trim(server->site.lab); /* descriptors that are only kept to be quick */
    wait_for_room(server, server->refused_s);
    server->refused_s = server->refused_s ? 2 * server->refused_s : 1;
    if (server->refused_s > REFUSED_MOST_S)
        server->refused_s = REFUSED_MOST_S;
}

static void accept_again(struct server *server)
{
    if (!server->is_full)
        return;
    server->is_full = false;
    evtimer_del(server->retry);
    event_add(server->acceptable, NULL);
}

static void on_retry(evutil_socket_t none, short what, void *argument)
{
    (void)none;
    (void)what;
    accept_again(argument);
}

static void on_closed(struct connections *connections)
{
    accept_again((struct server *)connections);
}

/* One client per call: as long as there are more, the loop calls again. */
static void on_acceptable(evutil_socket_t fd, short what, void *argument)
{
    struct server *server = argument;
    (void)what;
    if (server->connections.count >= CLIENTS_MOST && !connections_make_room(&server->connections)) {
        wait_for_room(server, 0);
        return;
    }
    int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
        on_refused(server, errno);
        return;
    }
    server->refused_s = 0;
    connection_open(&server->connections, client);
}

static int open_listener(struct server *server, const struct server_options *options, char *error,
                         size_t size)
{
    struct listen_address address;
    char why[200];
    int status = address_parse(options->listen, getpid(), &address);
    if (status == -ENAMETOOLONG) {
        snprintf(error, size, "%s=\"%.120s\": a Unix socket's path has at most 107 bytes",
                 options->listen_name, options->listen);
    } else if (status) {
        snprintf(error, size, "%s=\"%.80s\": %s", options->listen_name, options->listen,
                 ADDRESS_FORMS);
    } else if (!address_is_loopback(&address) && !options->token) {
        status = -EACCES;
        snprintf(error, size,
                 "%s=\"%.80s\": an address that other machines reach needs a token: set SNAG_TOKEN",
                 options->listen_name, options->listen);
    } else {
        status = listen_open(&server->listening, &address, why, sizeof why);
        if (status)
            snprintf(error, size, "cannot listen on %.120s (%s): %s", options->listen,
                     options->listen_name, why);
    }
    return status;
}

static int watch(struct server *server, struct event_base *base)
{
    server->retry = evtimer_new(base, on_retry, server);
    server->acceptable =
        event_new(base, server->listening.fd, EV_READ | EV_PERSIST, on_acceptable, server);
    bool is_watched =
        server->retry && server->acceptable && event_priority_set(server->retry, 0) == 0 &&
        event_priority_set(server->acceptable, 0) == 0 && event_add(server->acceptable, NULL) == 0;
    return is_watched ? 0 : -ENOMEM;
}

int server_start(struct server **result, struct event_base *base, struct report_desk *desk,
                 struct lab *lab, const struct server_options *options, char *error, size_t size)
{
    snprintf(error, size, "no memory for the listener");
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return -ENOMEM;
    server->listening.fd = server->listening.directory_fd = -1;
    server->connections = (struct connections){
        .base = base,
        .site = &server->site,
        .closed = on_closed,
    };
    server->site = (struct site){
        .lab = lab,
        .desk = desk,
        .token = options->token,
        .version = options->version,
        .watch = options->watch,
        .address = server->listening.text,
    };
    int status = open_listener(server, options, error, size);
    if (status == 0)
        status = watch(server, base);
    if (status) {
        server_stop(server);
        return status;
    }
    error[0] = 0;
    *result = server;
    return 0;
}

const char *server_address(const struct server *server)
{
    return server->listening.text;
}

void server_stop(struct server *server)
{
    connections_close_all(&server->connections);
    if (server->acceptable)
        event_free(server->acceptable);
    if (server->retry)
        event_free(server->retry);
    listen_close(&server->listening);
    free(server);
}
