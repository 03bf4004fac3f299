/* fds_protocols.h: the same facts of a socket, whoever told them.
 *
 * sock_diag, /proc/net and the socket itself speak of the same
 * numbers; what they mean for each protocol is decided here, once. */
#ifndef SNAG_SOURCES_FDS_PROTOCOLS_H
#define SNAG_SOURCES_FDS_PROTOCOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct socket_fact;
struct socket_set;

/* An internet socket as the kernel describes it. */
struct inet_facts {
    int family;
    int protocol;
    int state;         /* TCP_ESTABLISHED is 1 ..., also of UDP */
    const void *local; /* addresses in the network's order */
    uint16_t local_port;
    const void *peer;
    uint16_t peer_port;
    uint64_t receive_queue; /* of a listener: connections */
    uint64_t send_queue;
    bool end_is_counted; /* in the receive queue, as one byte more than a read gives */
};

/* FACT is NULL for a socket that is none of ours: its part is to say whom it listens for. */
void inet_facts_take(struct socket_set *set, struct socket_fact *fact,
                     const struct inet_facts *facts);

/* A unix socket. */
struct unix_facts {
    int type;
    int state;        /* as TCP's */
    const char *name; /* in words; NULL or "" without */
    bool ends_known;  /* the two below */
    uint64_t peer_inode;
    bool is_shut; /* nothing more can be received */
    bool queue_known;
    uint64_t unread; /* bytes; in the first message only for a datagram socket */
};

void unix_facts_take(struct socket_set *set, struct socket_fact *fact,
                     const struct unix_facts *facts);

void netlink_facts_take(struct socket_set *set, struct socket_fact *fact, unsigned protocol,
                        unsigned port);

/* INTERFACE 0: any. */
void packet_facts_take(struct socket_set *set, struct socket_fact *fact, unsigned protocol,
                       unsigned interface);

/* "LISTEN", "CONNECTED", "unconnected" ... for the state of a socket that is not TCP; NULL for
 * one without. */
const char *protocol_state(int state);

/* What the kernel calls a protocol ("TCPv6", "UNIX-STREAM") as a kind, kind_socket for all that
 * have none of their own. */
const char *protocol_kind(const char *name);

/* An address family as a word, "vsock"; NULL unknown. */
const char *protocol_family(int family);

#endif
