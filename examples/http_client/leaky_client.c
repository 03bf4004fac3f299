/* leaky_client.c: three handlers, two of which lose their responses.
 *
 * fixed_client.c is the same program without the two mistakes. Compare. */
#include "http.h"
#include "load.h"

#include <snag/snag.h>

#include <stdatomic.h>
#include <string.h>

static atomic_llong prices_read;
static atomic_llong prices_failed;
static atomic_llong avatars_seen;
static atomic_llong news_read;

/* The mistake on the error path: whoever wrote this believed that an error
 * page which is read to its end is done with. It is not closed, and the server
 * never ends it: the thread stays here, and so does the socket. */
static void refresh_prices(http_response *given)
{
    http_response *response = http_own(given);
    if (response->status != 200) {
        long long skipped = http_skip_body(response);
        prices_failed += skipped >= 0;
        return;
    }
    prices_read += http_skip_body(response);
    http_response_close(response);
}

/* The mistake without an error: all that is wanted stands in the first bytes,
 * so the rest is not read, and the response is forgotten. The thread ends; the
 * socket stays, in CLOSE_WAIT once the server has closed its side. */
static void check_avatar(http_response *given)
{
    http_response *response = http_own(given);
    char first[8];
    if (http_read_body(response, first, sizeof first) == (ssize_t)sizeof first)
        avatars_seen += memcmp(first, "\x89PNG\r\n\x1a\n", sizeof first) == 0;
}

/* No mistake here. */
static void watch_news(http_response *given)
{
    http_response *response = http_own(given);
    if (response->status == 200)
        news_read += http_skip_body(response);
    http_response_close(response);
}

static const struct load_request kinds[] = {
    { "/ok", refresh_prices },
    { "/missing", refresh_prices },
    { "/avatar", check_avatar },
    { "/slow", watch_news },
};

int main(int argc, char **argv)
{
    snag_start(NULL);
    return load_run(argc, argv, kinds, sizeof kinds / sizeof *kinds);
}
