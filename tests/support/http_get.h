/* http_get.h: one GET over a socket of its own, for tests that must not
 * depend on a client's niceties. */
#ifndef SNAG_TESTS_HTTP_GET_H
#define SNAG_TESTS_HTTP_GET_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct http_reply {
    int status; /* 200, 404 ... */
    char *head; /* status line and headers, terminated */
    char *body; /* LENGTH bytes, then a 0; chunks put together, not gunzip'd */
    size_t length;
};

/* GETs PATH from ADDRESS as snag_address() gives it ("127.0.0.1:1", "[::1]:1",
 * "unix:/path"). Waits at most SECONDS for each piece. 0 or a negative errno;
 * http_reply_free in every case. */
int http_get(const char *address, const char *path, int seconds, struct http_reply *reply);
void http_reply_free(struct http_reply *reply);

#ifdef __cplusplus
}
#endif

#endif
