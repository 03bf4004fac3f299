/* connection.h: one client, from accept to close. */
#ifndef SNAG_SERVER_CONNECTION_H
#define SNAG_SERVER_CONNECTION_H

#include <stdbool.h>
#include <sys/queue.h>

struct connection;
struct event_base;
struct site;

LIST_HEAD(connection_list, connection);

/* The connections of one listener. */
struct connections {
    struct event_base *base;
    struct site *site;
    struct connection_list list;
    unsigned count;
    /* Called when one has closed. */
    void (*closed)(struct connections *connections);
};

/* Takes over the accepted socket FD; closes it at once when there is no memory. */
void connection_open(struct connections *connections, int fd);

void connections_close_all(struct connections *connections);

/* Closes the one connection that has kept us waiting longest, if any has for
 * too long to have another wait for it. */
bool connections_make_room(struct connections *connections);

#endif
