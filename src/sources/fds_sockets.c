/* fds_sockets.c: the sockets among the descriptors, told apart; see fds_sockets.h.
 *
 * List by list, the likely ones first, until every socket has been found: from
 * sock_diag, and from /proc/net what sock_diag refuses. Rare protocols are asked for only
 * when a socket says that it is one: sock_diag loads the kernel module of whatever protocol
 * it is asked for. What is in no list belongs to another network namespace, has
 * been closed meanwhile, or is not connected to anything. */
#include "sources/fds_sockets.h"

#include "base/target.h"
#include "sources/fds.h"
#include "sources/fds_asker.h"
#include "sources/fds_borrow.h"
#include "sources/fds_diag.h"
#include "sources/fds_kinds.h"
#include "sources/fds_place.h"
#include "sources/fds_proc_net.h"
#include "sources/fds_protocols.h"
#include "sources/fds_words.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MPTCP 262 /* IPPROTO_MPTCP, which older headers lack */
#define TRIES 3   /* of a list that changes while it is read */

struct sockets {
    struct socket_set set;
    const struct fd_place *place;
    struct socket_asker *asker;
    bool diag_looks_elsewhere; /* another network namespace */
    bool by_diag, by_files;    /* what has answered */
    int error;                 /* the last refusal */
};

/* SYN_RECV and TIME_WAIT have no inode: no descriptor leads to one, and there may be very many.
 * Listeners are in a table of their own, and so are those that are bound and nothing more. */
#define TCP_LISTENERS (1u << TCP_LISTEN)
#define TCP_BOUND (1u << 13)
#define TCP_OTHERS (~(TCP_LISTENERS | TCP_BOUND | 1u << TCP_SYN_RECV | 1u << TCP_TIME_WAIT))

static const struct list {
    const char *protocols[2]; /* the sockets' own words for it, see find_protocol */
    bool is_common;           /* asked for whether one says so or not */
    int family;
    int number;
    unsigned states;                                       /* of diag_tcp */
    int (*ask)(struct diag *diag, struct socket_set *set); /* NULL: diag_tcp or diag_inet */
    int (*read)(struct socket_set *set, int task);         /* NULL: proc_net_inet ... */
    const char *file;                                      /* ... of this; NULL: none */
} lists[] = {
    { { "UNIX" }, true, AF_UNIX, 0, 0, diag_unix, proc_net_unix, NULL },
    { { "UDP" }, true, AF_INET, IPPROTO_UDP, 0, NULL, NULL, "udp" },
    { { "UDPv6" }, true, AF_INET6, IPPROTO_UDP, 0, NULL, NULL, "udp6" },
    { { "TCP", "TCPv6" }, true, AF_INET, IPPROTO_TCP, TCP_LISTENERS, NULL, NULL, NULL },
    { { "TCP", "TCPv6" }, true, AF_INET, IPPROTO_TCP, TCP_OTHERS, NULL, proc_net_tcp, NULL },
    { { "TCP", "TCPv6" }, false, AF_INET, IPPROTO_TCP, TCP_BOUND, NULL, NULL, NULL },
    { { "NETLINK" }, false, AF_NETLINK, 0, 0, diag_netlink, proc_net_netlink, NULL },
    { { "PACKET" }, false, AF_PACKET, 0, 0, diag_packet, proc_net_packet, NULL },
    { { "RAW" }, false, AF_INET, IPPROTO_RAW, 0, NULL, NULL, "raw" },
    { { "RAWv6" }, false, AF_INET6, IPPROTO_RAW, 0, NULL, NULL, "raw6" },
    { { "UDP-Lite" }, false, AF_INET, IPPROTO_UDPLITE, 0, NULL, NULL, "udplite" },
    { { "UDPLITEv6" }, false, AF_INET6, IPPROTO_UDPLITE, 0, NULL, NULL, "udplite6" },
    { { "PING" }, false, AF_INET, IPPROTO_ICMP, 0, NULL, NULL, "icmp" },
    { { "PINGv6" }, false, AF_INET6, IPPROTO_ICMP, 0, NULL, NULL, "icmp6" },
    { { "MPTCP" }, false, AF_INET, MPTCP, 0, NULL, NULL, NULL },
    { { "MPTCPv6" }, false, AF_INET6, MPTCP, 0, NULL, NULL, NULL },
    { { "AF_VSOCK" }, false, AF_VSOCK, 0, 0, diag_vsock, NULL, NULL },
};

#define LISTS (sizeof lists / sizeof *lists)

static bool fact_equal(const void *within, uint32_t entry, const void *key)
{
    return ((const struct socket_fact *)within)[entry].inode == *(const uint64_t *)key;
}

static bool peer_equal(const void *within, uint32_t entry, const void *key)
{
    return ((const struct socket_peer *)within)[entry].inode == *(const uint64_t *)key;
}

static struct socket_fact *find(struct socket_set *set, uint64_t inode)
{
    uint32_t at =
        hash_index_find(&set->by_inode, hash_word(0, inode), fact_equal, set->facts, &inode);
    return at == HASH_NONE ? NULL : &set->facts[at];
}

/* The fact of this socket, a new one for the first descriptor of it; NULL without memory. */
static struct socket_fact *add(struct socket_set *set, const struct descriptor *descriptor)
{
    struct socket_fact *fact = find(set, descriptor->inode);
    if (fact)
        return fact;
    fact = &set->facts[set->count];
    *fact = (struct socket_fact){
        .inode = descriptor->inode, .fd = descriptor->fd, .kind = kind_socket, .other_end = -1
    };
    if (!hash_index_insert(&set->by_inode, set->arena, hash_word(0, descriptor->inode),
                           (uint32_t)set->count))
        return NULL;
    set->count++;
    return fact;
}

bool socket_set_init(struct socket_set *set, struct fd_dump *dump)
{
    size_t count = 0;
    *set = (struct socket_set){ .arena = &dump->arena };
    for (size_t i = 0; i < dump->count; i++)
        count += dump->descriptors[i].kind == kind_socket;
    set->facts = arena_array(set->arena, count, sizeof *set->facts);
    set->fact_of = arena_array(set->arena, dump->count, sizeof *set->fact_of);
    set->tcp_listens = arena_array(set->arena, 65536 / 64, sizeof *set->tcp_listens);
    if (!set->facts || !set->fact_of || !set->tcp_listens)
        return false;
    for (size_t i = 0; i < dump->count; i++) {
        const struct descriptor *descriptor = &dump->descriptors[i];
        struct socket_fact *fact = descriptor->kind == kind_socket ? add(set, descriptor) : NULL;
        if (fact)
            set->fact_of[i] = (uint32_t)(fact - set->facts) + 1;
    }
    set->missing = set->count;
    return true;
}

struct socket_fact *socket_set_find(struct socket_set *set, uint64_t inode)
{
    struct socket_fact *fact = inode ? find(set, inode) : NULL;
    if (!fact || fact->found)
        return NULL; /* in the list twice: it moved while the list was read */
    fact->found = true;
    set->missing--;
    return fact;
}

void socket_set_add_listener(struct socket_set *set, uint16_t port)
{
    set->tcp_listens[port / 64] |= UINT64_C(1) << port % 64;
}

static bool came_in(const struct socket_set *set, const struct socket_fact *fact)
{
    return fact->tcp_port && fact->peer &&
           set->tcp_listens[fact->tcp_port / 64] >> fact->tcp_port % 64 & 1;
}

const char *socket_set_text(struct socket_set *set, const char *text)
{
    const char *copy = text ? arena_strdup(set->arena, text) : NULL;
    set->no_memory = set->no_memory || (text && !copy);
    return copy;
}

void socket_set_add_peer(struct socket_set *set, struct socket_peer peer)
{
    struct socket_peer *peers =
        array_reserve(set->arena, set->peers, &set->peer_capacity, set->peer_count, sizeof *peers);
    if (!peers || !hash_index_insert(&set->peers_by_inode, set->arena, hash_word(0, peer.inode),
                                     (uint32_t)set->peer_count)) {
        set->no_memory = true;
        return;
    }
    set->peers = peers;
    peers[set->peer_count++] = peer;
}

static int ask_once(struct diag *diag, struct socket_set *set, const struct list *list)
{
    if (list->ask)
        return list->ask(diag, set);
    return list->states ? diag_tcp(diag, set, list->states)
                        : diag_inet(diag, set, list->family, list->number);
}

static int ask_diag(struct sockets *sockets, const struct list *list)
{
    unsigned bit = 1u << (list - lists);
    if (sockets->diag_looks_elsewhere || (sockets->asker->refused & bit))
        return -ENOENT;
    int error = -EINTR;
    for (int i = 0; i < TRIES && error == -EINTR && sockets->set.missing > 0; i++)
        error = ask_once(&sockets->asker->diag, &sockets->set, list);
    if (error == -EINTR)
        error = 0;
    if (error) {
        sockets->error = error;
        sockets->asker->refused |= bit;
    } else {
        sockets->by_diag = true;
    }
    return error;
}

static void ask(struct sockets *sockets, const struct list *list)
{
    int task = sockets->place->task;
    int error = -ENOENT;
    if (ask_diag(sockets, list) == 0)
        return;
    if (list->read)
        error = list->read(&sockets->set, task);
    else if (list->file)
        error = proc_net_inet(&sockets->set, task, list->file, list->family, list->number);
    if (!error)
        sockets->by_files = true;
    else if (error != -ENOENT) /* ENOENT: the kernel has no such protocol, so no such socket */
        sockets->error = error;
}

/* The socket's own word for its protocol: an extended attribute that every socket has, and
 * nothing else. The number must lead to the same socket afterwards. */
static bool find_protocol(const struct socket_fact *fact, const struct fd_place *place, char *name,
                          size_t size)
{
    char path[64];
    char link[48];
    char wanted[48];
    snprintf(path, sizeof path, "/proc/thread-self/fd/%d/%d", place->fd, fact->fd);
    ssize_t length = getxattr(path, "system.sockprotoname", name, size - 1);
    if (length <= 0)
        return false;
    name[length] = 0;
    int expected = snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", fact->inode);
    snprintf(path, sizeof path, "%d", fact->fd);
    return readlinkat(place->fd, path, link, sizeof link) == expected &&
           memcmp(link, wanted, (size_t)expected) == 0;
}

/* The rare lists of a protocol, a bit for each. */
static unsigned lists_of(const char *protocol)
{
    unsigned found = 0;
    for (size_t l = 0; l < LISTS; l++)
        for (size_t i = 0; i < 2 && !lists[l].is_common; i++)
            if (lists[l].protocols[i] && strcmp(protocol, lists[l].protocols[i]) == 0)
                found |= 1u << l;
    return found;
}

/* What the common lists do not have says itself what it is. Returns the lists that are to be
 * asked as well, a bit for each. */
static unsigned find_protocols(struct sockets *sockets)
{
    unsigned wanted = 0;
    for (size_t i = 0; i < sockets->set.count; i++) {
        struct socket_fact *fact = &sockets->set.facts[i];
        char name[64];
        if (fact->found || !find_protocol(fact, sockets->place, name, sizeof name))
            continue;
        fact->kind = protocol_kind(name);
        fact->kind_is_sure = true;
        if (fact->kind == kind_socket)
            fact->protocol = socket_set_text(&sockets->set, name);
        wanted |= lists_of(name);
    }
    return wanted;
}

static bool looks_elsewhere(const struct sockets *sockets)
{
    char space[sizeof sockets->asker->diag.space];
    ssize_t length = readlinkat(sockets->place->task, "ns/net", space, sizeof space - 1);
    space[length > 0 ? length : 0] = 0;
    return strcmp(space, sockets->asker->diag.space) != 0;
}

static void ask_all(struct sockets *sockets)
{
    struct socket_set *set = &sockets->set;
    sockets->diag_looks_elsewhere = looks_elsewhere(sockets);
    for (size_t i = 0; i < LISTS && set->missing > 0; i++)
        if (lists[i].is_common)
            ask(sockets, &lists[i]);
    unsigned wanted = set->missing > 0 ? find_protocols(sockets) : 0;
    for (size_t i = 0; i < LISTS && set->missing > 0; i++)
        if (wanted & 1u << i)
            ask(sockets, &lists[i]);
}

static const char *other_process(struct socket_set *set, uint64_t inode)
{
    char text[64];
    snprintf(text, sizeof text, "the other end is socket:[%" PRIu64 "] of another process", inode);
    return socket_set_text(set, text);
}

/* The two ends of unix sockets: names and queues of the other, and its descriptor if it is ours. */
static void join_ends(struct socket_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct socket_fact *fact = &set->facts[i];
        if (fact->peer_inode == 0)
            continue;
        const struct socket_fact *other = find(set, fact->peer_inode);
        uint32_t at = hash_index_find(&set->peers_by_inode, hash_word(0, fact->peer_inode),
                                      peer_equal, set->peers, &fact->peer_inode);
        if (other)
            fact->other_end = other->fd;
        if (at != HASH_NONE)
            fact->peer = set->peers[at].name;
        if (!fact->peer && !other && !fact->detail)
            fact->detail = other_process(set, fact->peer_inode);
        if (fact->is_stream && fact->queues_known)
            fact->unsent = at != HASH_NONE ? set->peers[at].unread : 0;
    }
}

static const char *how_told(const struct sockets *sockets, struct arena *arena)
{
    char text[96];
    if (sockets->by_diag)
        return sockets->by_files ? "sock_diag and /proc/net" : "sock_diag";
    if (sockets->by_files)
        return "/proc/net";
    snprintf(text, sizeof text, "not told apart: sock_diag and /proc/net cannot be read: %s",
             strerror(-sockets->error));
    const char *copy = arena_strdup(arena, text);
    return copy ? copy : "not told apart";
}

static void fill_in(struct descriptor *descriptor, const struct socket_fact *fact,
                    const struct socket_set *set)
{
    descriptor->kind = fact->kind;
    descriptor->kind_is_sure = fact->kind_is_sure;
    descriptor->state = fact->state;
    descriptor->local = fact->local;
    descriptor->peer = fact->peer;
    descriptor->detail = fact->detail;
    descriptor->accepted = came_in(set, fact);
    descriptor->queues_known = fact->queues_known;
    descriptor->queues_are_memory = fact->queues_are_memory;
    descriptor->unread = fact->unread;
    descriptor->unsent = fact->unsent;
    descriptor->other_end = fact->other_end;
    fd_words_make(descriptor, fact->protocol, set->arena);
}

/* A TCP, UDP or unix socket has a state that could be had if it were in a list; what others are
 * in is not a question. */
static void say_unknown(struct socket_fact *fact)
{
    if (fact->kind == kind_tcp || fact->kind == kind_udp || fact->kind == kind_unix ||
        !fact->kind_is_sure)
        fact->state = "unknown";
}

void sockets_tell(struct fd_dump *dump, const struct fd_place *place, struct socket_asker *asker,
                  struct borrower *borrower)
{
    struct sockets sockets = { .place = place, .asker = asker };
    struct socket_set *set = &sockets.set;
    if (!socket_set_init(set, dump)) {
        dump->sockets_by = "not told apart: no memory";
        return;
    }
    if (set->count == 0)
        return;
    ask_all(&sockets);
    join_ends(set);
    for (size_t i = 0; i < set->count && set->missing > 0; i++)
        if (!set->facts[i].found && !borrow_socket(borrower, set, &set->facts[i]))
            say_unknown(&set->facts[i]);
    dump->sockets_by = how_told(&sockets, set->arena);
    for (size_t i = 0; i < dump->count; i++)
        if (set->fact_of[i])
            fill_in(&dump->descriptors[i], &set->facts[set->fact_of[i] - 1], set);
}
