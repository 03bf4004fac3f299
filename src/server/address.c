/* address.c: an address to listen on, from text.
 *
 * Strict: names other than localhost are not resolved (that needs the C
 * library's resolver, and could block), numbers must be plain decimal, IPv4
 * must have four parts. Without a host it is 127.0.0.1, never "everywhere". */
#include "server/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* A port of one to five digits at *TEXT, which is moved past it. */
static bool take_port(const char **text, uint16_t *port)
{
    unsigned number = 0;
    int digits = 0;
    for (; **text >= '0' && **text <= '9' && digits <= 5; (*text)++, digits++)
        number = number * 10 + (unsigned)(**text - '0');
    *port = (uint16_t)number;
    return digits > 0 && digits <= 5 && number <= UINT16_MAX;
}

static bool parse_ports(const char *text, struct listen_address *address)
{
    if (!take_port(&text, &address->first_port))
        return false;
    address->last_port = address->first_port;
    if (*text == 0)
        return true;
    if (*text++ != '-' || !take_port(&text, &address->last_port) || *text != 0)
        return false;
    return address->first_port > 0 && address->first_port <= address->last_port;
}

static bool parse_host(const char *host, struct listen_address *address)
{
    address->family = AF_INET;
    address->is_localhost = strcasecmp(host, "localhost") == 0;
    if (host[0] == 0 || address->is_localhost) {
        address->in.s_addr = htonl(INADDR_LOOPBACK);
        return true;
    }
    size_t length = strlen(host);
    if (host[0] != '[')
        return inet_pton(AF_INET, host, &address->in) == 1;
    char inside[INET6_ADDRSTRLEN];
    if (host[length - 1] != ']' || length - 2 >= sizeof inside)
        return false;
    memcpy(inside, host + 1, length - 2);
    inside[length - 2] = 0;
    address->family = AF_INET6;
    return inet_pton(AF_INET6, inside, &address->in6) == 1;
}

static int parse_path(const char *text, pid_t pid, struct listen_address *address)
{
    address->family = AF_UNIX;
    if (text[0] != '/' || text[strlen(text) - 1] == '/')
        return -EINVAL;
    size_t length = 0;
    while (*text) {
        char number[16];
        const char *part = text;
        size_t part_length = 1;
        if (text[0] == '%' && text[1] == 'p') {
            part_length = (size_t)snprintf(number, sizeof number, "%d", (int)pid);
            part = number;
            text++;
        }
        text++;
        if (length + part_length >= sizeof address->path)
            return -ENAMETOOLONG;
        memcpy(address->path + length, part, part_length);
        length += part_length;
    }
    address->path[length] = 0;
    return 0;
}

int address_parse(const char *text, pid_t pid, struct listen_address *address)
{
    *address = (struct listen_address){ 0 };
    if (strncmp(text, "unix:", 5) == 0)
        return parse_path(text + 5, pid, address);
    const char *colon = strrchr(text, ':');
    char host[64];
    if (!colon || (size_t)(colon - text) >= sizeof host)
        return -EINVAL;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    return parse_host(host, address) && parse_ports(colon + 1, address) ? 0 : -EINVAL;
}

bool address_is_loopback(const struct listen_address *address)
{
    switch (address->family) {
    case AF_INET: return ntohl(address->in.s_addr) >> 24 == 127;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&address->in6) ||
               (IN6_IS_ADDR_V4MAPPED(&address->in6) && address->in6.s6_addr[12] == 127);
    default: return true;
    }
}
