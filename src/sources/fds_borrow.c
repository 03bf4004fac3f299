/* fds_borrow.c: copies of descriptors by pidfd_getfd(2); see fds_borrow.h.
 *
 * A copy holds the pipe or socket open for the microsecond that it takes; so only
 * what no list tells is borrowed: how much waits in a pipe, and sockets that are
 * in no list (a connection that was reset is in none, and leaks all the same). Files are never
 * borrowed: closing even a copy of one may wait for a server. So the link is read again right
 * before, and the copy's inode is compared.
 *
 * Not where the listener shares the service's table (a fork at that moment would
 * inherit the copy), and not under a filter of system calls, which might end the process for one
 * that it does not know. */
#include "sources/fds_borrow.h"

#include "base/target.h"
#include "sources/fds_address.h"
#include "sources/fds_info.h"
#include "sources/fds_kinds.h"
#include "sources/fds_place.h"
#include "sources/fds_protocols.h"
#include "sources/fds_sockets.h"

#include <inttypes.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define MPTCP 262   /* IPPROTO_MPTCP, which older headers lack */
#define OUTQ 0x5411 /* SIOCOUTQ */

static bool is_filtered(const struct target *target)
{
    char text[4096];
    if (proc_read(target->live_fd, "status", text, sizeof text) <= 0)
        return true;
    const char *mode = fd_info_value(text, "Seccomp");
    return mode && *mode != '0';
}

void borrower_init(struct borrower *borrower, const struct target *target,
                   const struct fd_place *place)
{
    *borrower = (struct borrower){ .place = place, .pidfd = -1 };
    /* Of a leader that has exited there is nothing to borrow from. */
    borrower->allowed = target->self && !place->is_ours && place->owned < 0 && !is_filtered(target);
    if (borrower->allowed)
        borrower->pidfd = (int)syscall(SYS_pidfd_open, target->pid, 0);
    borrower->allowed = borrower->pidfd >= 0;
}

void borrower_close(struct borrower *borrower)
{
    if (borrower->pidfd >= 0)
        close(borrower->pidfd);
    borrower->pidfd = -1;
    borrower->allowed = false;
}

/* A copy of FD, if it leads to the pipe or socket INODE; -1. */
static int borrow(struct borrower *borrower, int fd, const char *what, uint64_t inode)
{
    char name[16];
    char link[48];
    char wanted[48];
    struct stat status;
    if (!borrower->allowed)
        return -1;
    int length = snprintf(wanted, sizeof wanted, "%s:[%" PRIu64 "]", what, inode);
    snprintf(name, sizeof name, "%d", fd);
    if (readlinkat(borrower->place->fd, name, link, sizeof link) != length ||
        memcmp(link, wanted, (size_t)length) != 0)
        return -1;
    int copy = (int)syscall(SYS_pidfd_getfd, borrower->pidfd, fd, 0);
    if (copy < 0)
        return -1;
    if (fstat(copy, &status) == 0 && status.st_ino == inode)
        return copy;
    close(copy);
    return -1;
}

bool borrow_pipe(struct borrower *borrower, int fd, uint64_t inode, uint64_t *bytes)
{
    int waiting = 0;
    int copy = borrow(borrower, fd, "pipe", inode);
    if (copy < 0)
        return false;
    bool known = ioctl(copy, FIONREAD, &waiting) == 0 && waiting >= 0;
    close(copy);
    *bytes = known ? (uint64_t)waiting : 0;
    return known;
}

static int option(int copy, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(copy, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

union address {
    struct sockaddr_storage any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_nl netlink;
    struct sockaddr_ll packet;
};

static uint64_t amount(int copy, unsigned long request)
{
    int bytes = 0;
    return ioctl(copy, request, &bytes) == 0 && bytes > 0 ? (uint64_t)bytes : 0;
}

/* State and queues; of a listener, TCP_INFO has the connections that wait where others have the
 * segments that are not acknowledged. */
static void read_tcp(int copy, struct inet_facts *facts)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof info;
    if (getsockopt(copy, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
        facts->state = info.tcpi_state;
    facts->receive_queue = facts->state == TCP_LISTEN ? info.tcpi_unacked : amount(copy, FIONREAD);
    facts->send_queue = amount(copy, OUTQ);
}

/* What waits in a datagram socket is told as the length of the first datagram: no sum is known. */
static void take_inet(struct socket_set *set, struct socket_fact *fact, int copy, int family,
                      int protocol)
{
    union address local = { 0 };
    union address peer = { 0 };
    socklen_t size = sizeof local;
    getsockname(copy, (void *)&local, &size);
    size = sizeof peer;
    bool connected = getpeername(copy, (void *)&peer, &size) == 0;
    bool is_4 = family == AF_INET;
    struct inet_facts facts = {
        .family = family,
        .protocol = protocol,
        .state = connected ? TCP_ESTABLISHED : TCP_CLOSE,
        .local = is_4 ? (void *)&local.in.sin_addr : (void *)&local.in6.sin6_addr,
        .local_port = ntohs(local.in.sin_port), /* stands at the same place in in6 */
        .peer = is_4 ? (void *)&peer.in.sin_addr : (void *)&peer.in6.sin6_addr,
        .peer_port = ntohs(peer.in.sin_port),
    };
    bool is_tcp = protocol == IPPROTO_TCP || protocol == MPTCP;
    if (is_tcp)
        read_tcp(copy, &facts);
    inet_facts_take(set, fact, &facts);
    fact->queues_known = fact->queues_known && is_tcp;
    fact->queues_are_memory = false;
}

static void take_unix(struct socket_set *set, struct socket_fact *fact, int copy)
{
    union address local = { 0 };
    union address peer = { 0 };
    socklen_t size = sizeof local;
    char name[ADDRESS_ROOM];
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    if (getsockname(copy, (void *)&local, &size) != 0 || size < head)
        size = head;
    address_of_unix(name, local.un.sun_path, size - head);
    size = sizeof peer;
    bool connected = getpeername(copy, (void *)&peer, &size) == 0;
    int state = option(copy, SO_ACCEPTCONN) == 1 ? TCP_LISTEN
                : connected                      ? TCP_ESTABLISHED
                                                 : TCP_CLOSE;
    unix_facts_take(set, fact,
                    &(struct unix_facts){
                        .type = option(copy, SO_TYPE), .state = state, .name = name });
    if (connected && size > head && address_of_unix(name, peer.un.sun_path, size - head) > 0)
        fact->peer = socket_set_text(set, name);
}

static void take_packet(struct socket_set *set, struct socket_fact *fact, int copy)
{
    union address local = { 0 };
    socklen_t size = sizeof local;
    getsockname(copy, (void *)&local, &size);
    packet_facts_take(set, fact, ntohs(local.packet.sll_protocol),
                      (unsigned)local.packet.sll_ifindex);
}

static void take_netlink(struct socket_set *set, struct socket_fact *fact, int copy, int protocol)
{
    union address local = { 0 };
    socklen_t size = sizeof local;
    getsockname(copy, (void *)&local, &size);
    netlink_facts_take(set, fact, (unsigned)protocol, local.netlink.nl_pid);
}

bool borrow_socket(struct borrower *borrower, struct socket_set *set, struct socket_fact *fact)
{
    int copy = borrow(borrower, fact->fd, "socket", fact->inode);
    if (copy < 0)
        return false;
    int family = option(copy, SO_DOMAIN);
    int protocol = option(copy, SO_PROTOCOL);
    bool known = family >= 0 && protocol >= 0;
    if (!known)
        ; /* older than Linux 2.6.32 */
    else if (family == AF_INET || family == AF_INET6)
        take_inet(set, fact, copy, family,
                  option(copy, SO_TYPE) == SOCK_RAW ? IPPROTO_RAW : protocol);
    else if (family == AF_UNIX)
        take_unix(set, fact, copy);
    else if (family == AF_NETLINK)
        take_netlink(set, fact, copy, protocol);
    else if (family == AF_PACKET)
        take_packet(set, fact, copy);
    else
        fact->protocol = protocol_family(family);
    if (known)
        fact->kind_is_sure = true;
    close(copy);
    return known;
}
