/* dial.h: a connection to a place: a number, a name with all its addresses in turn, or a Unix
 * socket; without waiting for any of it. */
#ifndef SNAG_COLLECT_DIAL_H
#define SNAG_COLLECT_DIAL_H

#include "collect/outcome.h"
#include "collect/place.h"

#include <stdint.h>

struct event_base;
struct evdns_base;
struct dial;

/* Whom names are asked of; made when the first name is met. */
struct dialler {
    struct event_base *base;
    struct evdns_base *names;
    uint64_t files; /* what stood for the files that names were read from */
};

void dialler_open(struct dialler *dialler, struct event_base *base);
void dialler_close(struct dialler *dialler);

/* Reads /etc/hosts and /etc/resolv.conf again when they have changed. */
void dialler_look(struct dialler *dialler);

/* FD is the connected socket, now the caller's; or -1, and OUTCOME says why. */
typedef void dial_done(void *user, int fd, const struct outcome *outcome);

/* DONE is called once, from the event loop and never from within this call. NULL: no memory. */
struct dial *dial_start(struct dialler *dialler, const struct place *place, dial_done *done,
                        void *user);

/* "connecting" or "looking its name up": what it is at. */
const char *dial_stage(const struct dial *dial);

/* Before DONE was called: it will not be. */
void dial_cancel(struct dial *dial);

#endif
