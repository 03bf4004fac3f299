/* fds_sockets.h: what the kernel's lists tell of the sockets among the descriptors.
 *
 * A set begins with the inodes that were found among the links. Whoever
 * reads a list of sockets (fds_diag.c, fds_proc_net.c) looks each one up here and
 * fills in what it tells; all others pass by. */
#ifndef SNAG_SOURCES_FDS_SOCKETS_H
#define SNAG_SOURCES_FDS_SOCKETS_H

#include "base/hash_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct borrower;
struct fd_dump;
struct fd_place;
struct socket_asker;

struct socket_fact {
    uint64_t inode;
    int fd;               /* the first descriptor of it */
    bool found;           /* in one of the lists */
    bool kind_is_sure;    /* the kind below is certain, found or not */
    const char *kind;     /* as in struct descriptor; kind_socket while not known */
    const char *protocol; /* of a kind_socket: "vsock" ...; NULL unknown */
    const char *state;
    const char *local; /* addresses; NULL without */
    const char *peer;
    const char *detail;
    bool queues_known;
    bool queues_are_memory;
    uint64_t unread;
    uint64_t unsent;
    bool is_stream;      /* unix: bytes have an order, so what is not read there was sent here */
    uint64_t peer_inode; /* unix: the other end; 0 without */
    int other_end;       /* unix: a descriptor of it in this process; -1 */
    uint16_t tcp_port;   /* the own one; 0 without */
};

/* A unix socket that is the other end of one of ours, of whatever process. */
struct socket_peer {
    uint64_t inode;
    const char *name; /* NULL: none */
    uint64_t unread;
};

struct socket_set {
    struct arena *arena; /* of the dump: owns everything below */
    struct socket_fact *facts;
    size_t count;
    size_t missing; /* not found in any list yet */
    bool no_memory; /* something could not be kept */
    struct hash_index by_inode;
    uint32_t *fact_of;         /* by position in the dump: index + 1, 0 for what is no socket */
    uint64_t *tcp_listens;     /* the ports that somebody listens on, a bit each */
    struct socket_peer *peers; /* unix sockets with a name or with unread bytes, ours or not */
    size_t peer_count;
    size_t peer_capacity;
    struct hash_index peers_by_inode;
};

/* The set of the sockets in DUMP. False without memory. */
bool socket_set_init(struct socket_set *set, struct fd_dump *dump);

/* The fact to be filled in for INODE, marked as found; NULL when it is none of ours. */
struct socket_fact *socket_set_find(struct socket_set *set, uint64_t inode);

/* Somebody, of whatever process, listens on PORT. */
void socket_set_add_listener(struct socket_set *set, uint16_t port);

/* Copies of texts into the set's arena; NULL of NULL, and NULL without memory. */
const char *socket_set_text(struct socket_set *set, const char *text);

/* Remembers a unix socket for the other ends. */
void socket_set_add_peer(struct socket_set *set, struct socket_peer peer);

/* Tells the sockets of DUMP apart; what remains unknown is said so in each. */
void sockets_tell(struct fd_dump *dump, const struct fd_place *place, struct socket_asker *asker,
                  struct borrower *borrower);

#endif
