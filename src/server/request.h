/* request.h: the head of an HTTP request, checked and taken apart. */
#ifndef SNAG_SERVER_REQUEST_H
#define SNAG_SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define REQUEST_HEAD_MOST 8192  /* bytes, request line and headers */
#define REQUEST_BODY_MOST 65536 /* bytes */

/* What a request says. The strings lie in `head`; a header that is not there
 * is NULL. */
struct request {
    char head[REQUEST_HEAD_MOST + 1];
    const char *method;
    const char *path;      /* percent-decoded */
    const char *query;     /* as it came, without the '?'; "" without one */
    const char *authority; /* of a target like http://localhost:6060/, else NULL */
    const char *host;
    const char *origin;
    const char *fetch_site;
    const char *authorization;
    const char *accept;
    bool is_http_1_0;
    bool keep_alive;
    bool expects_continue;
    size_t content_length;
    const char *body; /* content_length bytes, while the request is answered */
};

/* How long the head at BYTES is, with its empty line. 0: not complete yet. An HTTP
 * status with a minus: it never will be a request; WHY says what is wrong. */
ssize_t request_head_length(const char *bytes, size_t length, const char **why);

/* Takes apart the head of LENGTH bytes. 0, or the HTTP status to refuse it with and WHY. */
int request_parse(struct request *request, const char *bytes, size_t length, const char **why);

/* Replaces %XX in TEXT by the bytes they stand for. False, with TEXT spoilt,
 * when a % has no two digits behind it or a control character comes out. */
bool percent_decode(char *text);

#endif
