/* server.h: the listener: one address, a few connections, small replies.
 *
 * HTTP/1.1 over libevent's buffers, spoken here and not by evhttp: that (2.1) can
 * neither put headers of ours on its own error replies, nor bound a request's
 * whole time, nor the number of connections.
 *
 * The way of a request: listen -> connection -> request -> access -> routes ->
 * query -> a page, or an order at the reports' desk -> reply. Each is a file. */
#ifndef SNAG_SERVER_SERVER_H
#define SNAG_SERVER_SERVER_H

#include <stddef.h>

struct event_base;
struct lab;
struct report_desk;
struct server;
struct watch;

/* Where and for whom to listen. The strings must outlive the server. */
struct server_options {
    const char *listen;      /* an address as in snag_options.listen, but not "off" */
    const char *listen_name; /* where it came from, for error lines: "SNAG_LISTEN" */
    const char *token;       /* NULL: none is asked for */
    const char *version;
    const struct watch *watch; /* NULL: nothing is watched */
};

/* Binds and listens; served from BASE's loop. 0, or a negative errno and one
 * line in ERROR that says what was tried, on what, and why it failed. */
int server_start(struct server **server, struct event_base *base, struct report_desk *desk,
                 struct lab *lab, const struct server_options *options, char *error, size_t size);

/* "127.0.0.1:6060", "[::1]:6060", "unix:/run/app.sock"; valid until server_stop. */
const char *server_address(const struct server *server);

/* Closes the listener and every connection. */
void server_stop(struct server *server);

#endif
