/* query.h: the part of an address behind the '?'. */
#ifndef SNAG_SERVER_QUERY_H
#define SNAG_SERVER_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#define QUERY_VALUE_MOST 256 /* bytes of one decoded value */

/* The parameters there are. What a page allows is a set of them. */
enum query_parameter {
    QUERY_DEBUG = 1,
    QUERY_SECONDS = 2,
    QUERY_GC = 4,
    QUERY_TID = 8,
    QUERY_FORMAT = 16,
    QUERY_TOKEN = 32
};

struct query {
    unsigned given; /* which of them were there */
    unsigned debug;
    unsigned seconds;
    bool tid;
    bool json;
};

/* Reads TEXT. False when a parameter is not in ALLOWED, there twice, or bad;
 * ERROR is then one line that says which, and what is allowed. */
bool query_parse(const char *text, unsigned allowed, struct query *query, char *error, size_t size);

/* The first token= in TEXT, decoded; false when there is none. */
bool query_token(const char *text, char *token, size_t size);

/* TEXT without its token= parts, which a list of addresses may be mixed with. */
void query_without_token(const char *text, char *rest, size_t size);

#endif
