/* An HTTP client as a service has one: the response must be closed, as Go's resp.Body. */
#ifndef HTTP_H
#define HTTP_H
#include <snag/annotate.h>

struct http_response {
    int status;
    char *body;
};

void http_close(struct http_response *response);
struct http_response *http_get(const char *url) SNAG_RELEASED_BY(http_close, 1);
struct http_response *http_post(const char *url, const char *body) SNAG_RELEASED_BY(http_close, 1);

int lease_end(int lease);
int lease_take(const char *name) SNAG_NUMBER_RELEASED_BY(lease_end, 1);

SNAG_SCOPE(http_close, struct http_response *, NULL)

struct cache {
    struct http_response *last;
    struct http_response *all[16];
    int count;
};
/* Owns what it is given. */
void cache_put(struct cache *cache, struct http_response *response);
int parse(const char *text);
#endif
