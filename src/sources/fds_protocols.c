/* fds_protocols.c: what the numbers of each protocol mean; see fds_protocols.h. */
#include "sources/fds_protocols.h"

#include "sources/fds_address.h"
#include "sources/fds_kinds.h"
#include "sources/fds_sockets.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MPTCP 262 /* IPPROTO_MPTCP, which older headers lack */

static const char *tcp_state(int state)
{
    static const char *const words[] = {
        [TCP_ESTABLISHED] = "ESTABLISHED", [TCP_SYN_SENT] = "SYN_SENT",
        [TCP_SYN_RECV] = "SYN_RECV",       [TCP_FIN_WAIT1] = "FIN_WAIT1",
        [TCP_FIN_WAIT2] = "FIN_WAIT2",     [TCP_TIME_WAIT] = "TIME_WAIT",
        [TCP_CLOSE] = "unconnected",       [TCP_CLOSE_WAIT] = "CLOSE_WAIT",
        [TCP_LAST_ACK] = "LAST_ACK",       [TCP_LISTEN] = "LISTEN",
        [TCP_CLOSING] = "CLOSING",         [13 /* bound, and no more */] = "unconnected",
    };
    const char *word =
        state > 0 && (size_t)state < sizeof words / sizeof *words ? words[state] : NULL;
    return word ? word : "unknown";
}

const char *protocol_state(int state)
{
    switch (state) {
    case TCP_ESTABLISHED: return "CONNECTED";
    case TCP_LISTEN: return "LISTEN";
    case TCP_CLOSE: return "unconnected";
    case TCP_SYN_SENT: return "CONNECTING";
    case TCP_CLOSING: return "CLOSING";
    default: return NULL;
    }
}

static const char *inet_address(struct socket_set *set, int family, const void *bytes,
                                uint16_t port)
{
    char text[ADDRESS_ROOM];
    address_of_inet(text, family, bytes, port);
    return socket_set_text(set, text);
}

/* The end has arrived, so it is in the receive queue until it is read. */
static bool has_received_end(int state)
{
    return state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK || state == TCP_CLOSING;
}

/* The beginning or the end is on its way, so it is in the send queue until acknowledged. */
static bool has_mark_to_send(int state)
{
    return state == TCP_SYN_SENT || state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK ||
           state == TCP_CLOSING;
}

static void take_backlog(struct socket_set *set, struct socket_fact *fact, uint64_t waiting)
{
    char text[80];
    snprintf(text, sizeof text, "%llu connection%s to be accepted", (unsigned long long)waiting,
             waiting == 1 ? " waits" : "s wait");
    fact->detail = socket_set_text(set, text);
}

static void take_tcp(struct socket_set *set, struct socket_fact *fact,
                     const struct inet_facts *facts)
{
    fact->tcp_port = facts->local_port;
    fact->state = tcp_state(facts->state);
    if (facts->state == TCP_LISTEN) {
        take_backlog(set, fact, facts->receive_queue);
        return;
    }
    fact->queues_known = true;
    bool end = facts->end_is_counted && has_received_end(facts->state) && facts->receive_queue > 0;
    bool mark = has_mark_to_send(facts->state) && facts->send_queue > 0;
    fact->unread = facts->receive_queue - end;
    fact->unsent = facts->send_queue - mark;
    if (end)
        fact->detail = "the peer's end has arrived and was not read yet";
}

void inet_facts_take(struct socket_set *set, struct socket_fact *fact,
                     const struct inet_facts *facts)
{
    bool is_raw = false;
    if (facts->protocol == IPPROTO_TCP && facts->state == TCP_LISTEN)
        socket_set_add_listener(set, facts->local_port);
    if (!fact)
        return;
    switch (facts->protocol) {
    case IPPROTO_TCP:
    case MPTCP: fact->kind = kind_tcp; break;
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE: fact->kind = kind_udp; break;
    case IPPROTO_ICMP:
        fact->kind = kind_socket;
        fact->protocol = "icmp";
        break;
    default: is_raw = true; fact->kind = kind_raw;
    }
    fact->kind_is_sure = true;
    if (facts->local_port != 0 || !address_is_any(facts->family, facts->local))
        fact->local = inet_address(set, facts->family, facts->local, facts->local_port);
    if ((facts->peer_port != 0 || !address_is_any(facts->family, facts->peer)) && !is_raw)
        fact->peer = inet_address(set, facts->family, facts->peer, facts->peer_port);
    if (fact->kind == kind_tcp) {
        take_tcp(set, fact, facts);
        return;
    }
    fact->state = protocol_state(facts->state);
    fact->queues_known = true;
    fact->queues_are_memory = true;
    fact->unread = facts->receive_queue;
    fact->unsent = facts->send_queue;
}

/* A stream whose other end has gone stays "established" for the kernel: it is shut, and there is no
 * peer. One that still waits in a listener's queue has no peer either, and is not shut. */
static const char *unix_state(const struct unix_facts *facts, bool is_stream)
{
    if (facts->state != TCP_ESTABLISHED || !is_stream || !facts->ends_known)
        return protocol_state(facts->state);
    return facts->peer_inode == 0 && facts->is_shut ? "PEER_CLOSED" : "CONNECTED";
}

void unix_facts_take(struct socket_set *set, struct socket_fact *fact,
                     const struct unix_facts *facts)
{
    fact->kind = kind_unix;
    fact->kind_is_sure = true;
    fact->is_stream = facts->type != SOCK_DGRAM;
    fact->state = unix_state(facts, fact->is_stream);
    if (facts->name && facts->name[0])
        fact->local = socket_set_text(set, facts->name);
    fact->peer_inode = facts->peer_inode;
    if (facts->state == TCP_LISTEN) {
        if (facts->queue_known)
            take_backlog(set, fact, facts->unread);
        return;
    }
    fact->queues_known = facts->queue_known;
    fact->unread = facts->unread;
    if (facts->type == SOCK_DGRAM)
        fact->detail =
            facts->unread > 0 ? "datagrams; unread is the first one's length" : "datagrams";
    else if (facts->type == SOCK_SEQPACKET)
        fact->detail = "packets in sequence";
    else if (facts->ends_known && facts->state == TCP_ESTABLISHED && facts->peer_inode == 0 &&
             !facts->is_shut)
        fact->detail = "not accepted by the other side yet";
}

void netlink_facts_take(struct socket_set *set, struct socket_fact *fact, unsigned protocol,
                        unsigned port)
{
    static const char *const names[] = {
        [NETLINK_ROUTE] = "route",
        [NETLINK_USERSOCK] = "usersock",
        [NETLINK_FIREWALL] = "firewall",
        [NETLINK_SOCK_DIAG] = "sock_diag",
        [NETLINK_NFLOG] = "nflog",
        [NETLINK_XFRM] = "xfrm",
        [NETLINK_SELINUX] = "selinux",
        [NETLINK_ISCSI] = "iscsi",
        [NETLINK_AUDIT] = "audit",
        [NETLINK_FIB_LOOKUP] = "fib_lookup",
        [NETLINK_CONNECTOR] = "connector",
        [NETLINK_NETFILTER] = "netfilter",
        [NETLINK_IP6_FW] = "ip6_fw",
        [NETLINK_DNRTMSG] = "dnrtmsg",
        [NETLINK_KOBJECT_UEVENT] = "uevent",
        [NETLINK_GENERIC] = "generic",
        [NETLINK_SCSITRANSPORT] = "scsi",
        [NETLINK_ECRYPTFS] = "ecryptfs",
        [NETLINK_RDMA] = "rdma",
        [NETLINK_CRYPTO] = "crypto",
    };
    const char *name = protocol < sizeof names / sizeof *names ? names[protocol] : NULL;
    char text[48];
    fact->kind = kind_netlink;
    fact->kind_is_sure = true;
    if (name)
        snprintf(text, sizeof text, "%s:%u", name, port);
    else
        snprintf(text, sizeof text, "%u:%u", protocol, port);
    fact->local = socket_set_text(set, text);
}

void packet_facts_take(struct socket_set *set, struct socket_fact *fact, unsigned protocol,
                       unsigned interface)
{
    char text[48];
    char where[24] = "any interface";
    fact->kind = kind_packet;
    fact->kind_is_sure = true;
    if (interface > 0)
        snprintf(where, sizeof where, "interface %u", interface);
    if (protocol == ETH_P_ALL)
        snprintf(text, sizeof text, "all on %s", where);
    else
        snprintf(text, sizeof text, "0x%04x on %s", protocol, where);
    fact->local = socket_set_text(set, text);
}

const char *protocol_kind(const char *name)
{
    static const struct {
        const char *prefix;
        const char *kind;
    } kinds[] = {
        { "TCP", kind_tcp },   { "MPTCP", kind_tcp },       { "UDP", kind_udp },
        { "UNIX", kind_unix }, { "NETLINK", kind_netlink }, { "PACKET", kind_packet },
        { "RAW", kind_raw },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
            return kinds[i].kind;
    return kind_socket;
}

const char *protocol_family(int family)
{
    static const char *const names[] = {
        [AF_UNIX] = "unix",       [AF_INET] = "inet",
        [AF_INET6] = "inet6",     [AF_AX25] = "ax25",
        [AF_IPX] = "ipx",         [AF_APPLETALK] = "appletalk",
        [AF_X25] = "x25",         [AF_KEY] = "key",
        [AF_NETLINK] = "netlink", [AF_PACKET] = "packet",
        [AF_RDS] = "rds",         [AF_PPPOX] = "pppox",
        [AF_LLC] = "llc",         [AF_CAN] = "can",
        [AF_TIPC] = "tipc",       [AF_BLUETOOTH] = "bluetooth",
        [AF_RXRPC] = "rxrpc",     [AF_PHONET] = "phonet",
        [AF_ALG] = "alg",         [AF_NFC] = "nfc",
        [AF_VSOCK] = "vsock",     [AF_KCM] = "kcm",
        [AF_QIPCRTR] = "qipcrtr", [AF_SMC] = "smc",
        [AF_XDP] = "xdp",         [45 /* AF_MCTP */] = "mctp",
    };
    return family > 0 && (size_t)family < sizeof names / sizeof *names ? names[family] : NULL;
}
