/* fds_diag.c: the lists of internet, netlink, packet and vsock sockets; see fds_diag.h.
 *
 * Each is one request struct, one message struct (the kernel's headers have
 * them) and what of it goes into a fact. The queues of TCP are differences of sequence
 * numbers, in which the mark of the end (FIN) and of the beginning (SYN) count as a byte each:
 * that one is taken off, so that the numbers are the bytes that a read would give. */
#include "sources/fds_diag.h"

#include "sources/fds_address.h"
#include "sources/fds_kinds.h"
#include "sources/fds_netlink.h"
#include "sources/fds_protocols.h"
#include "sources/fds_sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/netlink_diag.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct inet_list {
    struct socket_set *set;
    int protocol;
};

static void take_inet(void *context, const void *message, size_t length)
{
    const struct inet_list *list = context;
    const struct inet_diag_msg *socket = message;
    if (length < sizeof *socket)
        return;
    struct socket_fact *fact = socket_set_find(list->set, socket->idiag_inode);
    if (!fact && socket->idiag_state != TCP_LISTEN)
        return;
    const struct inet_facts facts = {
        .family = socket->idiag_family,
        .protocol = list->protocol,
        .state = socket->idiag_state,
        .local = socket->id.idiag_src,
        .local_port = ntohs(socket->id.idiag_sport),
        .peer = socket->id.idiag_dst,
        .peer_port = ntohs(socket->id.idiag_dport),
        .receive_queue = socket->idiag_rqueue,
        .send_queue = socket->idiag_wqueue,
        .end_is_counted = true,
    };
    inet_facts_take(list->set, fact, &facts);
}

int diag_inet(struct diag *diag, struct socket_set *set, int family, int protocol)
{
    struct inet_list list = { set, protocol };
    struct {
        struct inet_diag_req_v2 request;
        struct nlattr head;
        uint32_t protocol;
    } question = {
        .request = { .sdiag_family = (uint8_t)family,
                     .sdiag_protocol = protocol <= UINT8_MAX ? (uint8_t)protocol : IPPROTO_RAW,
                     .idiag_states = ~0u },
        .head = { .nla_len = NLA_HDRLEN + sizeof question.protocol,
                  .nla_type = INET_DIAG_REQ_PROTOCOL },
        .protocol = (uint32_t)protocol,
    };
    size_t size = protocol <= UINT8_MAX ? sizeof question.request : sizeof question;
    return diag_dump(diag, SOCK_DIAG_BY_FAMILY, &question, size, take_inet, &list);
}

/* The oldest form of the question is the only one that has IPv4 and IPv6 answered together: the
 * kernel's table is walked once, which takes milliseconds however few sockets there are. */
int diag_tcp(struct diag *diag, struct socket_set *set, unsigned states)
{
    struct inet_list list = { set, IPPROTO_TCP };
    const struct inet_diag_req request = { .idiag_family = AF_INET, .idiag_states = states };
    return diag_dump(diag, TCPDIAG_GETSOCK, &request, sizeof request, take_inet, &list);
}

static void take_netlink(void *context, const void *message, size_t length)
{
    struct socket_set *set = context;
    const struct netlink_diag_msg *socket = message;
    struct socket_fact *fact =
        length >= sizeof *socket ? socket_set_find(set, socket->ndiag_ino) : NULL;
    if (fact)
        netlink_facts_take(set, fact, socket->ndiag_protocol, socket->ndiag_portid);
}

int diag_netlink(struct diag *diag, struct socket_set *set)
{
    const struct netlink_diag_req request = { .sdiag_family = AF_NETLINK,
                                              .sdiag_protocol = NDIAG_PROTO_ALL };
    return diag_dump(diag, SOCK_DIAG_BY_FAMILY, &request, sizeof request, take_netlink, set);
}

static void take_packet(void *context, const void *message, size_t length)
{
    struct socket_set *set = context;
    const struct packet_diag_msg *socket = message;
    size_t size = 0;
    struct socket_fact *fact =
        length >= sizeof *socket ? socket_set_find(set, socket->pdiag_ino) : NULL;
    if (!fact)
        return;
    const struct packet_diag_info *info =
        diag_attribute(message, length, sizeof *socket, PACKET_DIAG_INFO, &size);
    packet_facts_take(set, fact, socket->pdiag_num,
                      info && size >= sizeof *info ? info->pdi_index : 0);
}

int diag_packet(struct diag *diag, struct socket_set *set)
{
    const struct packet_diag_req request = { .sdiag_family = AF_PACKET,
                                             .pdiag_show = PACKET_SHOW_INFO };
    return diag_dump(diag, SOCK_DIAG_BY_FAMILY, &request, sizeof request, take_packet, set);
}

static const char *vsock_address(struct socket_set *set, uint32_t cid, uint32_t port)
{
    char text[32];
    if (port == UINT32_MAX)
        return NULL;
    if (cid == UINT32_MAX)
        snprintf(text, sizeof text, "any:%u", port);
    else
        snprintf(text, sizeof text, "%u:%u", cid, port);
    return socket_set_text(set, text);
}

static void take_vsock(void *context, const void *message, size_t length)
{
    struct socket_set *set = context;
    const struct vsock_diag_msg *socket = message;
    struct socket_fact *fact =
        length >= sizeof *socket ? socket_set_find(set, socket->vdiag_ino) : NULL;
    if (!fact)
        return;
    fact->kind = kind_socket;
    fact->protocol = "vsock";
    fact->state = protocol_state(socket->vdiag_state);
    fact->local = vsock_address(set, socket->vdiag_src_cid, socket->vdiag_src_port);
    if (socket->vdiag_state == 1)
        fact->peer = vsock_address(set, socket->vdiag_dst_cid, socket->vdiag_dst_port);
}

int diag_vsock(struct diag *diag, struct socket_set *set)
{
    const struct vsock_diag_req request = { .sdiag_family = AF_VSOCK, .vdiag_states = ~0u };
    return diag_dump(diag, SOCK_DIAG_BY_FAMILY, &request, sizeof request, take_vsock, set);
}
