/* access.h: who may ask. */
#ifndef SNAG_SERVER_ACCESS_H
#define SNAG_SERVER_ACCESS_H

#include <stdbool.h>

struct reply;
struct request;
struct sockaddr;

/* Whether REQUEST, which came in at the address LOCAL, may be answered. When not, REPLY is the
 * refusal: 400, 401 or 403. TOKEN NULL: none is asked for. */
bool access_allowed(const struct request *request, const struct sockaddr *local, const char *token,
                    struct reply *reply);

#endif
