/* push_url.c: where profiles are pushed to, and as whom; see push_url.h.
 *
 * Only http, without a password in it: what stands on a command line is read by everybody on the
 * machine, and TLS is left to what relays (Alloy's pyroscope.receive_http, a proxy). */
#include "collect/push_url.h"

#include "collect/push.h"

#include <errno.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 80
#define CREDENTIALS_MOST 4096

static const char *fault_of(const struct evhttp_uri *uri)
{
    const char *scheme = evhttp_uri_get_scheme(uri);
    const char *host = evhttp_uri_get_host(uri);
    if (scheme && strcasecmp(scheme, "https") == 0)
        return "https is not spoken here: push to a relay on this host, such as Alloy's "
               "pyroscope.receive_http";
    if (!scheme || strcasecmp(scheme, "http") != 0)
        return "it does not begin with http://";
    if (!host || !*host)
        return "it names no host";
    if (evhttp_uri_get_userinfo(uri))
        return "a password in it is seen by everybody on this machine: put it into a file";
    if (evhttp_uri_get_query(uri) || evhttp_uri_get_fragment(uri))
        return "nothing may follow its path";
    if (evhttp_uri_get_port(uri) == 0 || evhttp_uri_get_port(uri) > UINT16_MAX)
        return "there is no such port";
    return NULL;
}

static int fill_in(const struct evhttp_uri *uri, struct push_url *url)
{
    const char *host = evhttp_uri_get_host(uri);
    const char *path = evhttp_uri_get_path(uri) ? evhttp_uri_get_path(uri) : "";
    int port = evhttp_uri_get_port(uri) < 0 ? DEFAULT_PORT : evhttp_uri_get_port(uri);
    size_t length = strlen(path);
    static const char ending[] = "/ingest";
    while (length > 0 && path[length - 1] == '/')
        length--;
    size_t without = length;
    if (length >= strlen(ending) &&
        strncmp(path + length - strlen(ending), ending, strlen(ending)) == 0)
        without -= strlen(ending);
    url->port = (uint16_t)port;
    int header = snprintf(url->host_header, sizeof url->host_header, "%s:%d", host, port);
    int whole = snprintf(url->path, sizeof url->path, "%.*s%s", (int)without, path, ending);
    size_t bare = strlen(host); /* of [::1], what is within */
    if (*host == '[' && host[bare - 1] == ']') {
        host++;
        bare -= 2;
    }
    int name = snprintf(url->host, sizeof url->host, "%.*s", (int)bare, host);
    return header < (int)sizeof url->host_header && whole < (int)sizeof url->path &&
                   name < (int)sizeof url->host
               ? 0
               : -EINVAL;
}

int push_url_read(const char *text, struct push_url *url, char *why, size_t size)
{
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    const char *fault = uri ? fault_of(uri) : "it is no URL";
    if (!fault && fill_in(uri, url) != 0)
        fault = "it is too long";
    if (fault)
        snprintf(why, size, "%s", fault);
    if (uri)
        evhttp_uri_free(uri);
    return fault ? -EINVAL : 0;
}

static char *base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text);
    char *encoded = calloc(length / 3 + 2, 4);
    char *to = encoded;
    for (size_t i = 0; encoded && i < length; i += 3) {
        const unsigned char *three = (const unsigned char *)text + i;
        unsigned word = (unsigned)three[0] << 16;
        word |= i + 1 < length ? (unsigned)three[1] << 8 : 0;
        word |= i + 2 < length ? three[2] : 0;
        *to++ = digits[word >> 18];
        *to++ = digits[word >> 12 & 63];
        *to++ = i + 1 < length ? digits[word >> 6 & 63] : '=';
        *to++ = i + 2 < length ? digits[word & 63] : '=';
    }
    return encoded;
}

char *push_authorization(const char *credentials)
{
    char *header = NULL;
    char *encoded = NULL;
    for (const char *c = credentials; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            errno = EINVAL;
            return NULL;
        }
    }
    if (!strchr(credentials, ':')) { /* RFC 6750: none in a token */
        if (asprintf(&header, "Bearer %s", credentials) < 0)
            header = NULL;
    } else {
        encoded = base64(credentials);
        if (!encoded || asprintf(&header, "Basic %s", encoded) < 0)
            header = NULL;
    }
    free(encoded);
    if (!header)
        errno = ENOMEM;
    return header;
}

char *push_read_credentials(const char *file)
{
    char line[CREDENTIALS_MOST];
    FILE *stream = fopen(file, "re");
    if (!stream)
        return NULL;
    char *got = fgets(line, sizeof line, stream);
    int error = ferror(stream) ? errno : EINVAL; /* an empty file */
    fclose(stream);
    if (got)
        line[strcspn(line, "\r\n")] = 0;
    if (!got || !*line) {
        errno = error;
        return NULL;
    }
    return strdup(line);
}
