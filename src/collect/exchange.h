/* exchange.h: one GET, over a connection of its own, within one time limit for all of it: looking
 * the name up, connecting, and whatever pace the target answers at. No redirect is followed. */
#ifndef SNAG_COLLECT_EXCHANGE_H
#define SNAG_COLLECT_EXCHANGE_H

#include "collect/dial.h"

#include <stddef.h>

struct evbuffer;
struct exchange;

struct exchange_wish {
    const struct place *place; /* stays until the end of it; the texts need not */
    const char *path;          /* "/debug/pprof/threads?seconds=10", behind the place's prefix */
    const char *token;         /* NULL: none */
    unsigned timeout;          /* seconds */
    size_t most;               /* bytes of the body */
};

/* BODY is what came when OUTCOME is OUTCOME_OK, and what is left of it is freed afterwards. */
typedef void exchange_done(void *user, const struct outcome *outcome, struct evbuffer *body);

/* DONE is called once, from the event loop and never from within this call. NULL: no memory. */
struct exchange *exchange_start(struct dialler *dialler, const struct exchange_wish *wish,
                                exchange_done *done, void *user);

/* Before DONE was called: it will not be. */
void exchange_cancel(struct exchange *exchange);

#endif
