/* fds_address.h: addresses of sockets in words. */
#ifndef SNAG_SOURCES_FDS_ADDRESS_H
#define SNAG_SOURCES_FDS_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#define ADDRESS_ROOM 160 /* for any of the texts below */

/* "127.0.0.1:80", "[::1]:80": FAMILY is AF_INET or AF_INET6, BYTES the address, PORT in
 * the machine's order. An IPv4 address in an IPv6 socket is shown as IPv4. Returns its length. */
size_t address_of_inet(char *text, int family, const void *bytes, uint16_t port);

/* Whether it is the one that means "any" (also of IPv4 in IPv6). */
int address_is_any(int family, const void *bytes);

/* A unix socket's name, LENGTH bytes of sun_path: a path as it is, "@name" for an abstract one
 * (with '@' for each 0 in it, as the kernel writes it), "" for none. */
size_t address_of_unix(char *text, const char *name, size_t length);

#endif
