/* access.c: who may ask; see access.h.
 *
 * The listener is for this machine, and a browser on this machine runs code
 * of strangers. Three headers tell it apart, each set by the browser and out of a
 * page's reach: Host (a name of the attacker's that resolves to 127.0.0.1 still
 * stands there), Origin, and Sec-Fetch-Site. A Unix socket cannot be reached
 * from a browser, so there any Host will do.
 *
 * HTTP/1.0 may come without Host, as no browser speaks it. */
#include "server/access.h"

#include "server/query.h"
#include "server/reply.h"
#include "server/request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static bool is_local_v4(struct in_addr address, const struct sockaddr *local)
{
    if (address.s_addr == htonl(INADDR_LOOPBACK))
        return true;
    if (local->sa_family == AF_INET)
        return address.s_addr == ((const struct sockaddr_in *)(const void *)local)->sin_addr.s_addr;
    if (local->sa_family != AF_INET6)
        return false;
    /* An IPv6 socket that also takes IPv4 sees its own address as ::ffff:a.b.c.d. */
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)local)->sin6_addr;
    return IN6_IS_ADDR_V4MAPPED(six) && memcmp(&six->s6_addr[12], &address, sizeof address) == 0;
}

static bool is_local_v6(const struct in6_addr *address, const struct sockaddr *local)
{
    if (IN6_IS_ADDR_LOOPBACK(address))
        return true;
    return local->sa_family == AF_INET6 &&
           IN6_ARE_ADDR_EQUAL(address,
                              &((const struct sockaddr_in6 *)(const void *)local)->sin6_addr);
}

/* "" or ":" and digits. */
static bool is_port(const char *text)
{
    if (*text == 0)
        return true;
    size_t digits = strspn(text + 1, "0123456789");
    return *text == ':' && digits <= 5 && text[1 + digits] == 0;
}

/* Whether AUTHORITY ("localhost:6060", "[::1]") is a name of the address that
 * the request came in at. Numbers are compared as addresses, names as text. */
static bool is_ours(const char *authority, const struct sockaddr *local)
{
    char host[INET6_ADDRSTRLEN];
    bool is_v6 = authority[0] == '[';
    const char *start = is_v6 ? authority + 1 : authority;
    size_t length = strcspn(start, is_v6 ? "]" : ":");
    if (length >= sizeof host || (is_v6 && start[length] != ']') ||
        !is_port(start + length + is_v6))
        return false;
    memcpy(host, start, length);
    host[length] = 0;
    struct in_addr v4;
    struct in6_addr v6;
    if (is_v6)
        return inet_pton(AF_INET6, host, &v6) == 1 && is_local_v6(&v6, local);
    if (inet_pton(AF_INET, host, &v4) == 1)
        return is_local_v4(v4, local);
    /* With the dot that ends a full name it is the same name. */
    return strcasecmp(host, "localhost") == 0 || strcasecmp(host, "localhost.") == 0;
}

static bool refuse_host(const char *what, const char *value, struct reply *reply)
{
    char quoted[80];
    reply_error(reply, 403,
                "%s \"%s\" is refused: localhost, 127.0.0.1, [::1] or the address listened on is "
                "allowed",
                what, reply_quote(quoted, sizeof quoted, value));
    return false;
}

static bool host_allowed(const struct request *request, const struct sockaddr *local,
                         struct reply *reply)
{
    if (local->sa_family == AF_UNIX)
        return true;
    if (request->authority && !is_ours(request->authority, local))
        return refuse_host("the address", request->authority, reply);
    if (!request->host && !request->is_http_1_0) {
        reply_error(reply, 400, "HTTP/1.1 wants a Host header");
        return false;
    }
    if (request->host && !is_ours(request->host, local))
        return refuse_host("Host", request->host, reply);
    return true;
}

static bool origin_allowed(const struct request *request, const struct sockaddr *local,
                           struct reply *reply)
{
    const char *origin = request->origin;
    if (origin) {
        const char *authority = NULL;
        if (strncasecmp(origin, "http://", 7) == 0)
            authority = origin + 7;
        else if (strncasecmp(origin, "https://", 8) == 0)
            authority = origin + 8;
        if (!authority || !is_ours(authority, local))
            return refuse_host("Origin", origin, reply);
    }
    if (request->fetch_site && strcasecmp(request->fetch_site, "cross-site") == 0) {
        reply_error(reply, 403,
                    "Sec-Fetch-Site \"cross-site\" is refused: another site's page asked; type the "
                    "address, or use curl");
        return false;
    }
    return true;
}

/* Takes as long wherever the first difference is. */
static bool same_secret(const char *given, const char *secret)
{
    size_t given_length = strlen(given);
    size_t length = strlen(secret);
    unsigned difference = given_length != length;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned char)secret[i] ^ (unsigned char)given[i < given_length ? i : 0];
    return difference == 0;
}

static bool brings_token(const struct request *request, const char *token)
{
    static const char scheme[] = "Bearer ";
    const char *header = request->authorization;
    if (header && strncasecmp(header, scheme, sizeof scheme - 1) == 0) {
        header += sizeof scheme - 1;
        if (same_secret(header + strspn(header, " "), token))
            return true;
    }
    char value[QUERY_VALUE_MOST + 1];
    return query_token(request->query, value, sizeof value) && same_secret(value, token);
}

bool access_allowed(const struct request *request, const struct sockaddr *local, const char *token,
                    struct reply *reply)
{
    if (!host_allowed(request, local, reply) || !origin_allowed(request, local, reply))
        return false;
    if (!token || brings_token(request, token))
        return true;
    reply_error(reply, 401,
                "a token is needed: the header Authorization: Bearer TOKEN or ?token=TOKEN in the "
                "address");
    reply_header(reply, "WWW-Authenticate: Bearer realm=\"snag\"");
    return false;
}
