/* The cases of bodyclose, in C. Before each function: whether it is right; in a wrong one the line
 * where the resource is lost says what is expected of it. */
#include "http.h"

/* right: closed */
int closed(const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return -1;
    int status = response->status;
    http_close(response);
    return status;
}

/* wrong: never closed */
int never_closed(const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return -1;
    return response->status; /* want: snag-leak */
}

/* wrong: closed only when all went well */
int closed_on_success_only(const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return -1;
    if (response->status != 200)
        return -2; /* want: snag-leak */
    int value = parse(response->body);
    http_close(response);
    return value;
}

/* right: closed on both ways */
int closed_on_both(const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return -1;
    if (response->status != 200) {
        http_close(response);
        return -2;
    }
    int value = parse(response->body);
    http_close(response);
    return value;
}

/* wrong: the response is thrown away */
void thrown_away(const char *url)
{
    http_get(url); /* want: snag-lost-result */
}

/* wrong: only whether it worked is asked */
int only_tested(const char *url)
{
    if (http_post(url, "ping") == NULL) /* want: snag-lost-result */
        return 0;
    return 1;
}

/* wrong: overwritten while it is open */
int overwritten(const char *first, const char *second)
{
    struct http_response *response = http_get(first);
    if (!response)
        return -1;
    response = http_get(second); /* want: snag-leak */
    if (!response)
        return -1;
    int status = response->status;
    http_close(response);
    return status;
}

/* right: the variable is used again after closing */
int used_again(const char *first, const char *second)
{
    struct http_response *response = http_get(first);
    if (!response)
        return -1;
    int status = response->status;
    http_close(response);
    response = http_get(second);
    if (!response)
        return -1;
    status += response->status;
    http_close(response);
    return status;
}

static void finish(struct http_response *response)
{
    if (response)
        http_close(response);
}

static int status_of(const struct http_response *response)
{
    return response->status;
}

/* right: a helper closes it */
int closed_by_helper(const char *url)
{
    struct http_response *response = http_get(url);
    int status = response ? status_of(response) : -1;
    finish(response);
    return status;
}

/* wrong: the helper only looks */
int helper_only_looks(const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return -1;
    return status_of(response); /* want: snag-leak */
}

/* right: the caller gets it */
struct http_response *returned(const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return NULL;
    return response;
}

/* right: stored for later */
int stored(struct cache *cache, const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return -1;
    cache->last = response;
    return 0;
}

/* right: handed to an owner */
int handed_on(struct cache *cache, const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return -1;
    cache_put(cache, response);
    return 0;
}

/* right: Go's defer */
int deferred(const char *url)
{
    struct http_response *response SNAG_SCOPED(http_close) = http_get(url);
    if (!response)
        return -1;
    if (response->status != 200)
        return -2;
    return parse(response->body);
}

/* right: deferred, then handed to the caller after all */
struct http_response *deferred_and_returned(const char *url)
{
    struct http_response *response SNAG_SCOPED(http_close) = http_get(url);
    if (!response || response->status != 200)
        return NULL;
    return SNAG_TAKE(response, NULL);
}

/* wrong: closed twice on the way of an error */
int closed_twice(const char *url)
{
    struct http_response *response = http_get(url);
    int result = 0;
    if (!response)
        return -1;
    if (response->status >= 500) {
        http_close(response);
        result = -2;
    }
    http_close(response); /* want: snag-double-release */
    return result;
}

/* wrong: the second request fails, the first response stays */
int second_fails(const char *first, const char *second)
{
    struct http_response *one = http_get(first);
    if (!one)
        return -1;
    struct http_response *two = http_get(second);
    if (!two)
        return -1; /* want: snag-leak */
    int sum = one->status + two->status;
    http_close(two);
    http_close(one);
    return sum;
}

/* right: the second request fails, the first response is closed */
int second_fails_well(const char *first, const char *second)
{
    int sum = -1;
    struct http_response *two = NULL, *one = http_get(first);
    if (!one)
        return -1;
    two = http_get(second);
    if (!two)
        goto out;
    sum = one->status + two->status;
    http_close(two);
out:
    http_close(one);
    return sum;
}

/* wrong: a number of the project's own is not given back */
int lease_lost(const char *name, int late)
{
    int lease = lease_take(name);
    if (lease < 0)
        return -1;
    if (late)
        return -2; /* want: snag-leak */
    return lease_end(lease);
}

/* right: it is */
int lease_returned(const char *name, int late)
{
    int lease = lease_take(name);
    if (lease < 0)
        return -1;
    if (late) {
        lease_end(lease);
        return -2;
    }
    return lease_end(lease);
}

/* right: closed in each case of a switch */
int closed_in_switch(const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return -1;
    switch (response->status) {
    case 200:
        http_close(response);
        return 0;
    case 404:
        http_close(response);
        return 1;
    default:
        break;
    }
    http_close(response);
    return 2;
}

/* wrong: one case of a switch forgets */
int forgotten_in_switch(const char *url)
{
    struct http_response *response = http_get(url);
    if (!response)
        return -1;
    switch (response->status) {
    case 200:
        http_close(response);
        return 0;
    case 404:
        return 1; /* want: snag-leak */
    default:
        break;
    }
    http_close(response);
    return 2;
}

/* right: read, then closed, in a loop with retries */
int retried(const char *url)
{
    for (int i = 0; i < 3; i++) {
        struct http_response *response = http_get(url);
        if (!response)
            continue;
        if (response->status == 200) {
            int value = parse(response->body);
            http_close(response);
            return value;
        }
        http_close(response);
    }
    return -1;
}

/* wrong: a retry forgets the answer it was not happy with */
int retried_badly(const char *url)
{
    for (int i = 0; i < 3; i++) {
        struct http_response *response = http_get(url);
        if (!response)
            continue;
        if (response->status != 200)
            continue; /* want: snag-leak */
        int value = parse(response->body);
        http_close(response);
        return value;
    }
    return -1;
}

/* right: this one is kept open for good, and says so */
void kept_open(const char *url)
{
    http_get(url); /* snag: ignore */
}
