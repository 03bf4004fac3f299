/* load.h: what both clients share: their command line and the load they make.
 *
 * CLIENT PORT [-n REQUESTS] [-r PER_SECOND] [-t SECONDS] sends so many requests
 * at that rate to 127.0.0.1:PORT, in turn one of each kind, then stays until SECONDS
 * have passed since its start, to be looked at. */
#ifndef EXAMPLES_LOAD_H
#define EXAMPLES_LOAD_H

#include "http.h"

/* One kind of request: where it goes, and who handles the response. */
struct load_request {
    const char *path;
    http_handler *handler;
};

/* Runs the load over COUNT kinds; says each second what is open. Returns the
 * exit status: 0, 1 when no request could be sent, 2 for a bad command line. */
int load_run(int argc, char **argv, const struct load_request *kinds, size_t count);

#endif
