/* address.h: the forms an address to listen on may have. */
#ifndef SNAG_SERVER_ADDRESS_H
#define SNAG_SERVER_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ADDRESS_FORMS                                                                              \
    "127.0.0.1:6060, 127.0.0.1:0, 127.0.0.1:6060-6079, [::1]:6060, unix:/path.%p.sock or off is "  \
    "allowed"

struct listen_address {
    int family; /* AF_INET, AF_INET6 or AF_UNIX */
    struct in_addr in;
    struct in6_addr in6;
    bool is_localhost; /* by that name: IPv6 will do where there is no IPv4 */
    uint16_t first_port;
    uint16_t last_port; /* same as first_port without a range */
    char path[108];     /* of a Unix socket, with %p replaced */
};

/* Reads TEXT; %p stands for PID. 0; -EINVAL when it is none of the forms;
 * -ENAMETOOLONG for a path that no Unix socket can have. */
int address_parse(const char *text, pid_t pid, struct listen_address *address);

/* Reachable from this machine only. */
bool address_is_loopback(const struct listen_address *address);

#endif
