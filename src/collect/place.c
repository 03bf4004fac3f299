/* place.c: where a target answers; see place.h. */
#include "collect/place.h"

#include <errno.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static int read_unix(const char *path, struct place *place, char *why, size_t size)
{
    if (!*path || strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        snprintf(why, size, *path ? "the path of its socket is too long" : "a path is missing");
        return -EINVAL;
    }
    place->is_unix = true;
    snprintf(place->host, sizeof place->host, "%s", path);
    snprintf(place->text, sizeof place->text, "unix:%s", place->host);
    return 0;
}

/* NULL, or what is wrong with it. */
static const char *take_apart(const struct evhttp_uri *uri, struct place *place)
{
    const char *host = evhttp_uri_get_host(uri);
    const char *path = evhttp_uri_get_path(uri);
    int port = evhttp_uri_get_port(uri);
    if (evhttp_uri_get_userinfo(uri))
        return "a password does not belong here: see --token-file";
    if (evhttp_uri_get_query(uri) || evhttp_uri_get_fragment(uri))
        return "only a prefix may follow the port; what to ask for is said by --profiles";
    if (!host || !*host || strlen(host) >= sizeof place->host)
        return "a host is missing";
    if (port <= 0 || port > 65535)
        return "a port is missing, such as HOST:6060";
    if (path && strlen(path) >= sizeof place->prefix)
        return "its prefix is too long";
    bool is_six = *host == '[';
    snprintf(place->host, sizeof place->host, "%.*s", (int)strlen(host) - 2 * is_six,
             host + is_six);
    place->port = (uint16_t)port;
    snprintf(place->prefix, sizeof place->prefix, "%s", path ? path : "");
    for (size_t end = strlen(place->prefix); end > 0 && place->prefix[end - 1] == '/'; end--)
        place->prefix[end - 1] = 0;
    snprintf(place->text, sizeof place->text, "%s%s%s:%d%s", is_six ? "[" : "", place->host,
             is_six ? "]" : "", port, place->prefix);
    return NULL;
}

int place_read(const char *text, struct place *place, char *why, size_t size)
{
    char url[640];
    memset(place, 0, sizeof *place);
    if (strncmp(text, "unix:", 5) == 0)
        return read_unix(text + 5, place, why, size);
    if (strncasecmp(text, "https://", 8) == 0) {
        snprintf(why, size, "https is not spoken: a proxy beside the service can take it off");
        return -EINVAL;
    }
    bool has_scheme = strncasecmp(text, "http://", 7) == 0;
    int length = snprintf(url, sizeof url, "http://%s", has_scheme ? text + 7 : text);
    struct evhttp_uri *uri = length < (int)sizeof url ? evhttp_uri_parse(url) : NULL;
    const char *wrong =
        uri ? take_apart(uri, place)
            : "it is none of HOST:PORT, [::1]:PORT, http://HOST:PORT/PREFIX, unix:/PATH";
    if (uri)
        evhttp_uri_free(uri);
    if (wrong)
        snprintf(why, size, "%s", wrong);
    return wrong ? -EINVAL : 0;
}
