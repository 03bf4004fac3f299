/* fds_diag.h: the kernel's lists of sockets, by sock_diag. */
#ifndef SNAG_SOURCES_FDS_DIAG_H
#define SNAG_SOURCES_FDS_DIAG_H

struct diag;
struct socket_set;

/* Each fills in what its list tells of the sockets in SET. 0 or a negative errno of diag_dump.
 * FAMILY is AF_INET or AF_INET6, PROTOCOL an IPPROTO_. */
int diag_inet(struct diag *diag, struct socket_set *set, int family, int protocol);

/* Those in one of STATES, a bit for each (1 << TCP_LISTEN), of both families. */
int diag_tcp(struct diag *diag, struct socket_set *set, unsigned states);
int diag_unix(struct diag *diag, struct socket_set *set);
int diag_netlink(struct diag *diag, struct socket_set *set);
int diag_packet(struct diag *diag, struct socket_set *set);
int diag_vsock(struct diag *diag, struct socket_set *set);

#endif
