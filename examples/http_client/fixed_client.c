/* fixed_client.c: leaky_client.c with both mistakes mended, the same way.
 *
 * Every handler takes its response into a variable that closes it when it goes
 * out of scope: no path can leave it behind, today's or one added later. */
#include "http.h"
#include "load.h"

#include <snag/snag.h>

#include <stdatomic.h>
#include <string.h>

static atomic_llong prices_read;
static atomic_llong prices_failed;
static atomic_llong avatars_seen;
static atomic_llong news_read;

static void refresh_prices(http_response *given)
{
    HTTP_CLOSED_AT_END http_response *response = http_own(given);
    if (response->status != 200) {
        prices_failed++;
        return;
    }
    prices_read += http_skip_body(response);
}

static void check_avatar(http_response *given)
{
    HTTP_CLOSED_AT_END http_response *response = http_own(given);
    char first[8];
    if (http_read_body(response, first, sizeof first) == (ssize_t)sizeof first)
        avatars_seen += memcmp(first, "\x89PNG\r\n\x1a\n", sizeof first) == 0;
}

static void watch_news(http_response *given)
{
    HTTP_CLOSED_AT_END http_response *response = http_own(given);
    if (response->status == 200)
        news_read += http_skip_body(response);
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
