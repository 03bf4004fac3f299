/* exchange.h: one request and its reply, between the connection and the routes. */
#ifndef SNAG_SERVER_EXCHANGE_H
#define SNAG_SERVER_EXCHANGE_H

#include "reports/reports.h"
#include "server/query.h"
#include "server/reply.h"
#include "server/request.h"

#include <stdbool.h>

/* What replies are made from, the same for all connections. */
struct site {
    struct lab *lab;
    struct report_desk *desk;
    const char *token; /* NULL: none */
    const char *version;
    const struct watch *watch; /* NULL: nothing is watched */
    const char *address;       /* as snag_address() */
    unsigned differences;      /* orders with seconds= under way */
};

struct exchange {
    struct site *site;
    struct request request;
    struct query query; /* parsed, where the route takes parameters */
    struct reply reply;
    struct report_order order;
    bool is_ordered; /* `order` is at the desk */
    /* Called when the reply is complete, if routes_answer did not complete it. */
    void (*finished)(struct exchange *exchange);
};

/* Answers the request, which has passed the access rules: true when the reply
 * is complete, false when it will be once the desk is done. */
bool routes_answer(struct exchange *exchange);

/* The client has gone: what was ordered is not wanted any more. */
void routes_cancel(struct exchange *exchange);

#endif
