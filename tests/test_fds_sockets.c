/* test_fds_sockets.c proves that sockets are shown as what they are: kind, state, both addresses,
 * the bytes in their queues, the other end in the same process.
 *
 * The rows make sockets of every family and state. What is expected comes from getsockname,
 * getpeername, ioctl and from the bytes that the row itself wrote. The same rows are played once
 * more in a process where sock_diag and copies of descriptors are refused, so that /proc/net has to
 * do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "fd_look.h"
#include "workers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define HELD_MOST 8
#define MPTCP 262

static char folder[128];
static struct fd_looker *looker;
static bool by_files; /* sock_diag is refused, and so are copies */

struct made {
    int held[HELD_MOST]; /* held[0] is looked at */
    size_t count;

    const char *kind;
    const char *state;          /* NULL: none */
    const char *state_by_files; /* what can be told without sock_diag; NULL: the same */
    char local[160];            /* "": none */
    char peer[160];
    const char *detail; /* a piece of it */
    int other_end;      /* a position in held; -1 */
    bool accepted;
    bool queues_known;
    bool are_memory;
    long unread, unsent; /* the least of it, with are_memory */
    bool needs_diag;     /* addresses, queues and ends are not to be had from /proc/net */
    bool in_no_list;     /* nothing but the socket itself tells */
};

static int hold(struct made *made, int fd)
{
    if (fd < 0)
        return -1;
    assert_true(made->count < HELD_MOST);
    made->held[made->count++] = fd;
    return fd;
}

/* An address as a person writes it. */
static void put_address(char *text, size_t size, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *in = (const void *)address;
    const struct sockaddr_in6 *in6 = (const void *)address;
    char host[INET6_ADDRSTRLEN];
    text[0] = 0;
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%d", host, ntohs(in->sin_port));
    } else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof host);
        snprintf(text, size, "%s:%d", host, ntohs(in6->sin6_port));
    } else if (address->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%d", host, ntohs(in6->sin6_port));
    }
}

static void put_own_address(char *text, size_t size, int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    assert_int_equal(getsockname(fd, (void *)&address, &length), 0);
    put_address(text, size, &address);
}

static void put_peer_address(char *text, size_t size, int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    assert_int_equal(getpeername(fd, (void *)&address, &length), 0);
    put_address(text, size, &address);
}

static void expect_internet(struct made *made, const char *kind, const char *state, bool has_peer)
{
    made->kind = kind;
    made->state = state;
    put_own_address(made->local, sizeof made->local, made->held[0]);
    if (has_peer)
        put_peer_address(made->peer, sizeof made->peer, made->held[0]);
    made->queues_known = strcmp(state, "LISTEN") != 0;
}

static socklen_t loopback(struct sockaddr_storage *address, int family)
{
    struct sockaddr_in *in = (void *)address;
    struct sockaddr_in6 *in6 = (void *)address;
    memset(address, 0, sizeof *address);
    address->ss_family = (sa_family_t)family;
    if (family == AF_INET)
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        in6->sin6_addr = in6addr_loopback;
    return family == AF_INET ? sizeof *in : sizeof *in6;
}

/* A TCP listener on the loopback; -1 where the family is not there. */
static int listen_on(int family, int backlog)
{
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, family);
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd >= 0 && (bind(fd, (void *)&address, length) != 0 || listen(fd, backlog) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_to(int listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    getsockname(listener, (void *)&address, &length);
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (void *)&address, length), 0);
    return fd;
}

/* held[0] the client, held[1] the server's side. */
static bool make_connection(struct made *made, int family)
{
    int listener = listen_on(family, 16);
    if (listener < 0)
        return false;
    hold(made, connect_to(listener));
    hold(made, accept(listener, NULL, NULL));
    close(listener);
    return true;
}

/* Until FD has COUNT bytes to read. */
static void wait_for_bytes(int fd, int count)
{
    int there = -1;
    for (int i = 0; i < 1000 && there != count; i++) {
        ioctl(fd, FIONREAD, &there);
        usleep(1000);
    }
    assert_int_equal(there, count);
}

static void wait_for_end(int fd)
{
    struct pollfd poll_fd = { fd, POLLRDHUP, 0 };
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
}

static void wait_for_state_of(int fd, int state)
{
    struct tcp_info info = { 0 };
    for (int i = 0; i < 1000 && info.tcpi_state != state; i++) {
        socklen_t size = sizeof info;
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
        usleep(1000);
    }
    assert_int_equal(info.tcpi_state, state);
}

static bool make_tcp_listener(struct made *made)
{
    hold(made, listen_on(AF_INET, 16));
    hold(made, connect_to(made->held[0]));
    hold(made, connect_to(made->held[0]));
    expect_internet(made, "tcp", "LISTEN", false);
    made->detail = "2 connections wait to be accepted";
    return true;
}

static bool make_tcp_unread(struct made *made)
{
    char bytes[1000] = { 0 };
    make_connection(made, AF_INET);
    assert_int_equal(write(made->held[1], bytes, sizeof bytes), sizeof bytes);
    wait_for_bytes(made->held[0], 1000);
    expect_internet(made, "tcp", "ESTABLISHED", true);
    made->unread = 1000;
    return true;
}

/* Writes until no more goes in, and waits until what is queued does not move any more: the peer
 * has room for little, and does not read. Returns how much is queued. */
static int fill(int fd, int peer)
{
    static char bytes[65536];
    const int little = 4096;
    int queued = -1;
    setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
    for (int same = 0; same < 20; usleep(20000)) {
        int now = 0;
        ioctl(fd, TIOCOUTQ, &now);
        same = now == queued ? same + 1 : 0;
        queued = now;
    }
    assert_true(queued > 0);
    return queued;
}

static bool make_accepted(struct made *made)
{
    int listener = listen_on(AF_INET, 16);
    int client = connect_to(listener);
    hold(made, accept(listener, NULL, NULL));
    hold(made, client);
    hold(made, listener);
    expect_internet(made, "tcp", "ESTABLISHED", true);
    made->accepted = true;
    return true;
}

static bool make_connected(struct made *made)
{
    make_accepted(made);
    int server = made->held[0];
    made->held[0] = made->held[1];
    made->held[1] = server;
    expect_internet(made, "tcp", "ESTABLISHED", true);
    made->accepted = false;
    return true;
}

static bool make_tcp_unsent(struct made *made)
{
    make_connection(made, AF_INET);
    made->unsent = fill(made->held[0], made->held[1]);
    expect_internet(made, "tcp", "ESTABLISHED", true);
    return true;
}

static bool make_close_wait(struct made *made)
{
    make_connection(made, AF_INET);
    assert_int_equal(write(made->held[1], "seventeen letters", 17), 17);
    expect_internet(made, "tcp", "CLOSE_WAIT", true);
    close(made->held[1]);
    made->count = 1;
    wait_for_end(made->held[0]);
    made->unread = 17;
    made->detail = "the peer's end has arrived and was not read yet";
    return true;
}

static bool make_close_wait_read(struct made *made)
{
    char byte;
    make_close_wait(made);
    while (read(made->held[0], &byte, 1) == 1)
        continue;
    made->unread = 0;
    made->detail = NULL;
    return true;
}

static bool make_fin_wait(struct made *made)
{
    make_connection(made, AF_INET);
    expect_internet(made, "tcp", "FIN_WAIT2", true);
    shutdown(made->held[0], SHUT_WR);
    wait_for_state_of(made->held[0], TCP_FIN_WAIT2);
    return true;
}

/* Both have closed for writing, and the last acknowledgement cannot come: nobody reads there. */
static bool make_last_ack(struct made *made)
{
    int queued = 0;
    make_connection(made, AF_INET);
    made->unsent = fill(made->held[0], made->held[1]);
    shutdown(made->held[1], SHUT_WR);
    wait_for_end(made->held[0]);
    shutdown(made->held[0], SHUT_WR);
    ioctl(made->held[0], TIOCOUTQ, &queued);
    assert_int_equal(queued, made->unsent + 1); /* the end is a byte for TCP, not for us */
    expect_internet(made, "tcp", "LAST_ACK", true);
    made->detail = "the peer's end has arrived and was not read yet";
    return true;
}

static bool make_syn_sent(struct made *made)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int listener = listen_on(AF_INET, 0);
    getsockname(listener, (void *)&address, &length);
    int last = -1;
    for (int i = 0; i < 4; i++) {
        last = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(last, (void *)&address, length);
        hold(made, last);
    }
    made->held[3] = made->held[0];
    made->held[0] = last;
    hold(made, listener);
    struct tcp_info info;
    socklen_t size = sizeof info;
    getsockopt(last, IPPROTO_TCP, TCP_INFO, &info, &size);
    if (info.tcpi_state != TCP_SYN_SENT)
        return false;
    expect_internet(made, "tcp", "SYN_SENT", false);
    put_address(made->peer, sizeof made->peer, &address);
    return true;
}

static bool make_tcp6(struct made *made)
{
    if (!make_connection(made, AF_INET6))
        return false;
    assert_int_equal(write(made->held[1], "abc", 3), 3);
    wait_for_bytes(made->held[0], 3);
    expect_internet(made, "tcp", "ESTABLISHED", true);
    made->unread = 3;
    return true;
}

static bool make_mapped(struct made *made)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    socklen_t length = sizeof in;
    int listener = listen_on(AF_INET, 16);
    getsockname(listener, (void *)&in, &length);
    in6.sin6_port = in.sin_port;
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &in6.sin6_addr);
    int fd = hold(made, socket(AF_INET6, SOCK_STREAM, 0));
    hold(made, listener);
    if (fd < 0 || connect(fd, (void *)&in6, sizeof in6) != 0)
        return false;
    expect_internet(made, "tcp", "ESTABLISHED", true);
    assert_memory_equal(made->peer, "127.0.0.1:", 10);
    return true;
}

static bool make_any_listener(struct made *made)
{
    const struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
    int fd = hold(made, socket(AF_INET6, SOCK_STREAM, 0));
    if (fd < 0 || bind(fd, (const void *)&any, sizeof any) != 0 || listen(fd, 4) != 0)
        return false;
    expect_internet(made, "tcp", "LISTEN", false);
    assert_memory_equal(made->local, "[::]:", 5);
    made->detail = "0 connections wait to be accepted";
    return true;
}

static bool make_tcp_fresh(struct made *made)
{
    hold(made, socket(AF_INET, SOCK_STREAM, 0));
    made->kind = "tcp";
    made->state = "unconnected";
    made->queues_known = true;
    made->in_no_list = true;
    return true;
}

static bool make_tcp_bound(struct made *made)
{
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET);
    int fd = hold(made, socket(AF_INET, SOCK_STREAM, 0));
    assert_int_equal(bind(fd, (void *)&address, length), 0);
    expect_internet(made, "tcp", "unconnected", false);
    made->in_no_list = true;
    return true;
}

/* What remains of a connection that the peer has reset: in no list of the kernel. */
static bool make_tcp_reset(struct made *made)
{
    const struct linger at_once = { 1, 0 };
    make_connection(made, AF_INET);
    setsockopt(made->held[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(made->held[1]);
    made->count = 1;
    wait_for_state_of(made->held[0], TCP_CLOSE);
    expect_internet(made, "tcp", "unconnected", false);
    made->in_no_list = true;
    return true;
}

static bool make_mptcp(struct made *made)
{
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET);
    int fd = hold(made, socket(AF_INET, SOCK_STREAM, MPTCP));
    if (fd < 0 || bind(fd, (void *)&address, length) != 0 || listen(fd, 3) != 0)
        return false;
    expect_internet(made, "tcp", "LISTEN", false);
    made->detail = "0 connections wait to be accepted";
    return true;
}

static bool make_udp(struct made *made, int family)
{
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, family);
    int fd = hold(made, socket(family, SOCK_DGRAM, 0));
    if (fd < 0 || bind(fd, (void *)&address, length) != 0)
        return false;
    length = sizeof address;
    getsockname(fd, (void *)&address, &length);
    int sender = hold(made, socket(family, SOCK_DGRAM, 0));
    for (int i = 0; i < 2; i++)
        assert_int_equal(sendto(sender, "0123456789", 10, 0, (void *)&address, length), 10);
    expect_internet(made, "udp", "unconnected", false);
    made->are_memory = true;
    made->unread = 20;
    return true;
}

static bool make_udp4(struct made *made)
{
    return make_udp(made, AF_INET);
}

static bool make_udp6(struct made *made)
{
    return make_udp(made, AF_INET6);
}

static bool make_udp_connected(struct made *made)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = hold(made, socket(AF_INET, SOCK_DGRAM, 0));
    assert_int_equal(connect(fd, (void *)&address, sizeof address), 0);
    expect_internet(made, "udp", "CONNECTED", true);
    made->are_memory = true;
    return true;
}

static bool make_udp_fresh(struct made *made)
{
    hold(made, socket(AF_INET, SOCK_DGRAM, 0));
    made->kind = "udp";
    made->state = "unconnected";
    made->in_no_list = true;
    return true;
}

static bool make_udplite(struct made *made)
{
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET);
    int fd = hold(made, socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE));
    if (fd < 0 || bind(fd, (void *)&address, length) != 0)
        return false;
    expect_internet(made, "udp", "unconnected", false);
    made->are_memory = true;
    return true;
}

static bool make_raw(struct made *made)
{
    if (hold(made, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)) < 0)
        return false;
    made->kind = "raw";
    made->state = "unconnected";
    strcpy(made->local, "0.0.0.0:1"); /* the protocol stands where others have a port */
    made->queues_known = true;
    made->are_memory = true;
    return true;
}

static socklen_t unix_name(struct sockaddr_un *address, const char *name, size_t length)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(address->sun_path, name, length);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* held[0] listens at NAME, held[1] is connected to it and not accepted. */
static void make_unix_service(struct made *made, int type, const char *name, size_t length)
{
    struct sockaddr_un address;
    socklen_t size = unix_name(&address, name, length);
    hold(made, socket(AF_UNIX, type, 0));
    assert_int_equal(bind(made->held[0], (void *)&address, size), 0);
    assert_int_equal(listen(made->held[0], 8), 0);
    hold(made, socket(AF_UNIX, type, 0));
    assert_int_equal(connect(made->held[1], (void *)&address, size), 0);
    made->kind = "unix";
}

static const char *socket_path(void)
{
    static int number;
    static char path[160];
    snprintf(path, sizeof path, "%s/socket %d", folder, ++number);
    return path;
}

static bool make_unix_listener(struct made *made)
{
    const char *path = socket_path();
    make_unix_service(made, SOCK_STREAM, path, strlen(path) + 1);
    made->state = "LISTEN";
    strcpy(made->local, path);
    if (!by_files)
        made->detail = "1 connection waits to be accepted";
    return true;
}

static void swap_held(struct made *made, int other)
{
    int first = made->held[0];
    made->held[0] = made->held[other];
    made->held[other] = first;
}

/* The client has no name; the one that it called is its peer. */
static bool make_unix_client(struct made *made)
{
    const char *path = socket_path();
    make_unix_service(made, SOCK_STREAM, path, strlen(path) + 1);
    hold(made, accept(made->held[0], NULL, NULL));
    assert_int_equal(write(made->held[2], "hello", 5), 5);
    swap_held(made, 1);
    made->state = "CONNECTED";
    strcpy(made->peer, path);
    made->other_end = 2;
    made->queues_known = true;
    made->unread = 5;
    made->needs_diag = true;
    return true;
}

static bool make_unix_accepted(struct made *made)
{
    make_unix_client(made);
    swap_held(made, 2);
    strcpy(made->local, made->peer);
    made->peer[0] = 0;
    made->unread = 0;
    made->unsent = 5;
    return true;
}

static bool make_unix_pending(struct made *made)
{
    const char *path = socket_path();
    make_unix_service(made, SOCK_STREAM, path, strlen(path) + 1);
    swap_held(made, 1);
    made->state = "CONNECTED";
    made->queues_known = true;
    made->needs_diag = true;
    if (!by_files)
        made->detail = "not accepted by the other side yet";
    return true;
}

static bool make_abstract(struct made *made)
{
    char name[64] = { 0 };
    int length = snprintf(name + 1, sizeof name - 1, "snag-test-%d", (int)getpid());
    make_unix_service(made, SOCK_SEQPACKET, name, (size_t)length + 1);
    made->state = "LISTEN";
    snprintf(made->local, sizeof made->local, "@%s", name + 1);
    return true;
}

/* Zero bytes, a line break and what is not UTF-8 may all be in such a name. */
static bool make_odd_abstract(struct made *made)
{
    char name[64] = { 0 };
    int length = snprintf(name + 1, sizeof name - 1, "odd-%d", (int)getpid());
    memcpy(name + 1 + length, "\0\xff\033[1m", 6);
    make_unix_service(made, SOCK_STREAM, name, (size_t)length + 7);
    made->state = "LISTEN";
    snprintf(made->local, sizeof made->local, "@%s@\xff\033[1m", name + 1);
    return true;
}

static bool make_pair(struct made *made, int type)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, type, 0, ends), 0);
    hold(made, ends[0]);
    hold(made, ends[1]);
    made->kind = "unix";
    made->state = "CONNECTED";
    made->other_end = 1;
    made->queues_known = true;
    made->needs_diag = true;
    assert_int_equal(write(ends[1], "0123456", 7), 7);
    assert_int_equal(write(ends[1], "89", 2), 2);
    made->unread = 9;
    return true;
}

static bool make_stream_pair(struct made *made)
{
    return make_pair(made, SOCK_STREAM);
}

static bool make_packet_pair(struct made *made)
{
    make_pair(made, SOCK_SEQPACKET);
    made->detail = "packets in sequence";
    return true;
}

static bool make_datagram_pair(struct made *made)
{
    make_pair(made, SOCK_DGRAM);
    made->unread = 7;
    made->detail = by_files ? "datagrams" : "datagrams; unread is the first one's length";
    return true;
}

static bool make_pair_closed(struct made *made)
{
    make_pair(made, SOCK_STREAM);
    close(made->held[1]);
    made->count = 1;
    made->other_end = -1;
    made->state = "PEER_CLOSED";
    made->state_by_files = "CONNECTED";
    return true;
}

static bool make_unix_fresh(struct made *made)
{
    hold(made, socket(AF_UNIX, SOCK_STREAM, 0));
    made->kind = "unix";
    made->state = "unconnected";
    made->queues_known = true;
    made->needs_diag = true;
    return true;
}

static bool make_netlink(struct made *made)
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK };
    socklen_t length = sizeof address;
    int fd = hold(made, socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    assert_int_equal(bind(fd, (void *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (void *)&address, &length), 0);
    made->kind = "netlink";
    snprintf(made->local, sizeof made->local, "route:%u", address.nl_pid);
    return true;
}

static bool make_netlink_fresh(struct made *made)
{
    hold(made, socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
    made->kind = "netlink";
    strcpy(made->local, "uevent:0");
    made->in_no_list = true;
    return true;
}

static bool make_packet(struct made *made)
{
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_protocol = htons(3),
                                   .sll_ifindex = (int)if_nametoindex("lo") };
    int fd = hold(made, socket(AF_PACKET, SOCK_RAW, htons(3)));
    if (fd < 0 || bind(fd, (void *)&address, sizeof address) != 0)
        return false;
    made->kind = "packet";
    snprintf(made->local, sizeof made->local, "all on interface %u", if_nametoindex("lo"));
    return true;
}

static bool make_vsock(struct made *made)
{
    if (hold(made, socket(AF_VSOCK, SOCK_STREAM, 0)) < 0)
        return false;
    made->kind = "socket";
    made->in_no_list = true;
    return true;
}

static void *bind_elsewhere(void *argument)
{
    int *fd = argument;
    if (unshare(CLONE_NEWNET) != 0)
        return NULL;
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    ioctl(sock, SIOCSIFFLAGS, &up);
    close(sock);
    *fd = listen_on(AF_INET, 2);
    return NULL;
}

/* It is in the lists of a network that we do not see. */
static bool make_of_other_network(struct made *made)
{
    pthread_t thread;
    int fd = -1;
    assert_int_equal(pthread_create(&thread, NULL, bind_elsewhere, &fd), 0);
    pthread_join(thread, NULL);
    if (hold(made, fd) < 0)
        return false;
    expect_internet(made, "tcp", "LISTEN", false);
    made->in_no_list = true;
    return true;
}

static void check_text(const char *what, const char *found, const char *expected)
{
    if (strcmp(found ? found : "(none)", expected && expected[0] ? expected : "(none)") != 0)
        fail_msg("%s is \"%s\", not \"%s\"", what, found ? found : "(none)",
                 expected && expected[0] ? expected : "(none)");
}

/* "L -> P", "L", "-> P", "socket:[1]", and the other end. */
static void expect_target(const struct made *made, const struct descriptor *found, char *text,
                          size_t size)
{
    struct stat status;
    char own[64];
    char other[64] = "";
    const char *local = found->local;
    const char *peer = found->peer;
    assert_int_equal(fstat(made->held[0], &status), 0);
    assert_int_equal(found->inode, status.st_ino);
    snprintf(own, sizeof own, "socket:[%llu]", (unsigned long long)status.st_ino);
    if (found->other_end >= 0)
        snprintf(other, sizeof other, ", other end is fd %d", found->other_end);
    snprintf(text, size, "%s%s%s%s",
             local  ? local
             : peer ? ""
                    : own,
             local && peer ? " -> "
             : peer        ? "-> "
                           : "",
             peer ? peer : "", other);
}

static void check_queues(const struct made *made, const struct descriptor *found)
{
    assert_int_equal(found->queues_known, made->queues_known);
    assert_int_equal(found->queues_are_memory, made->are_memory);
    if (made->are_memory) {
        assert_true(found->unread >= (uint64_t)made->unread);
        assert_true(found->unread == 0 || made->unread > 0);
    } else {
        assert_int_equal(found->unread, made->unread);
        assert_int_equal(found->unsent, made->unsent);
    }
}

static void check(const struct made *made, const struct descriptor *found)
{
    char target[400];
    int other = made->other_end >= 0 && !by_files ? made->held[made->other_end] : -1;
    check_text("the kind", found->kind, made->kind);
    check_text("the state", found->state,
               by_files && made->state_by_files ? made->state_by_files : made->state);
    check_text("the own address", found->local, made->local);
    check_text("the peer", found->peer, by_files && made->needs_diag ? "" : made->peer);
    assert_int_equal(found->other_end, other);
    assert_true(found->kind_is_sure);
    assert_int_equal(found->accepted, made->accepted);
    assert_false(found->deleted);
    assert_int_equal(found->position, -1);
    if (by_files && made->needs_diag)
        assert_false(found->queues_known);
    else
        check_queues(made, found);
    if (made->detail ? !found->detail || !strstr(found->detail, made->detail)
                     : found->detail && strstr(found->detail, "end has arrived"))
        fail_msg("the detail is \"%s\"", found->detail ? found->detail : "(none)");
    expect_target(made, found, target, sizeof target);
    if (strcmp(found->kind, "socket") != 0)
        check_text("the target", found->target, target);
    else
        assert_non_null(strstr(found->target, target));
}

/* What no list has, and cannot be borrowed, is said not to be known. */
static void check_unknown(const struct made *made, const struct descriptor *found)
{
    bool has_state = strcmp(made->kind, "tcp") == 0 || strcmp(made->kind, "udp") == 0;
    check_text("the kind", found->kind, made->kind);
    check_text("the state", found->state, has_state ? "unknown" : NULL);
    check_text("the own address", found->local, "");
    assert_false(found->queues_known);
}

struct row {
    const char *name;
    bool (*make)(struct made *made);
};

static struct made made;

static void test_socket(void **state)
{
    const struct row *row = *state;
    made = (struct made){ .other_end = -1 };
    if (!row->make(&made)) {
        print_message("not here: %s\n", strerror(errno));
        skip();
    }
    int copy = hold(&made, dup(made.held[0]));
    for (int with_details = 0; with_details < 2; with_details++) {
        struct fd_dump *dump;
        assert_int_equal(fd_look(looker, with_details, 10 * SECOND, &dump), 0);
        const int both[] = { made.held[0], copy };
        for (int i = 0; i < 2; i++) {
            const struct descriptor *found = fd_dump_find(dump, both[i]);
            assert_non_null(found);
            if (by_files && made.in_no_list)
                check_unknown(&made, found);
            else
                check(&made, found);
            if (with_details)
                assert_int_equal(found->flags & (O_ACCMODE | O_NONBLOCK),
                                 fcntl(both[i], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
        }
        if (by_files)
            check_text("how", dump->sockets_by, "/proc/net");
        fd_dump_free(dump);
    }
}

static int clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < made.count; i++)
        close(made.held[i]);
    made.count = 0;
    return 0;
}

#define LEAKED 100

/* As a client leaks its responses: the server has closed, some bytes were never read. */
static void test_hundred_leaked(void **state)
{
    (void)state;
    int leaked[LEAKED];
    int listener = listen_on(AF_INET, LEAKED);
    char target[160];
    size_t found = 0;
    uint64_t unread = 0;
    struct fd_dump *dump;
    put_own_address(target, sizeof target, listener);
    for (int i = 0; i < LEAKED; i++) {
        leaked[i] = connect_to(listener);
        int server = accept(listener, NULL, NULL);
        assert_int_equal(write(server, "response body", (size_t)(i % 13)), i % 13);
        close(server);
        wait_for_end(leaked[i]);
    }
    assert_int_equal(fd_look(looker, false, 10 * SECOND, &dump), 0);
    for (size_t i = 0; i < dump->count; i++) {
        const struct descriptor *descriptor = &dump->descriptors[i];
        if (!descriptor->peer || strcmp(descriptor->peer, target) != 0)
            continue;
        assert_string_equal(descriptor->kind, "tcp");
        assert_string_equal(descriptor->state, "CLOSE_WAIT");
        assert_int_equal(descriptor->fd, leaked[found]);
        assert_int_equal(descriptor->unread, found % 13);
        unread += descriptor->unread;
        found++;
    }
    assert_int_equal(found, LEAKED);
    assert_int_equal(unread, 7 * 78 + 36); /* 0 + ... + 12 seven times, then 0 + ... + 8 */
    fd_dump_free(dump);
    close(listener);
    for (int i = 0; i < LEAKED; i++)
        close(leaked[i]);
}

/* Some descriptors alone are the same as among all. */
static void test_some_alone(void **state)
{
    (void)state;
    int listener = listen_on(AF_INET, 8);
    int client = connect_to(listener);
    int server = accept(listener, NULL, NULL);
    int pair[2];
    struct fd_dump *all;
    struct fd_dump *some;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    const int wanted[] = { 0, listener, server, pair[0], pair[1], 9999 };
    assert_true(listener < server && server < pair[0] && pair[0] < pair[1]);
    assert_int_equal(fd_look(looker, false, 10 * SECOND, &all), 0);
    assert_int_equal(fd_look_at(looker, wanted, 6, &some), 0);
    assert_int_equal(some->count, 5);
    assert_null(fd_dump_find(some, client));
    for (size_t i = 0; i < some->count; i++) {
        const struct descriptor *one = &some->descriptors[i];
        const struct descriptor *same = fd_dump_find(all, one->fd);
        assert_int_equal(one->fd, wanted[i]);
        assert_string_equal(one->kind, same->kind);
        assert_string_equal(one->target, same->target);
        check_text("the state", one->state, same->state);
        assert_int_equal(one->accepted, same->accepted);
    }
    assert_true(fd_dump_find(some, server)->accepted);
    fd_dump_free(some);
    fd_dump_free(all);
    assert_int_equal(fd_look_at(looker, wanted, 0, &some), 0);
    assert_int_equal(some->count, 0);
    fd_dump_free(some);
    const int made_here[] = { listener, client, server, pair[0], pair[1] };
    for (size_t i = 0; i < 5; i++)
        close(made_here[i]);
}

/* Other people's sockets, by the thousand, do not get in the way. */
static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static int pairs[COUNT][2];
    struct fd_dump *dump;
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
    assert_int_equal(fd_look(looker, false, 10 * SECOND, &dump), 0);
    for (int i = 0; i < COUNT; i++) {
        const struct descriptor *first = fd_dump_find(dump, pairs[i][0]);
        const struct descriptor *second = fd_dump_find(dump, pairs[i][1]);
        assert_string_equal(first->kind, "unix");
        if (!by_files) {
            assert_int_equal(first->other_end, pairs[i][1]);
            assert_int_equal(second->other_end, pairs[i][0]);
        }
    }
    fd_dump_free(dump);
    for (int i = 0; i < COUNT; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
}

static struct row rows[] = {
    { "tcp, listener", make_tcp_listener },
    { "tcp, unread", make_tcp_unread },
    { "tcp, unsent", make_tcp_unsent },
    { "tcp, accepted", make_accepted },
    { "tcp, connected", make_connected },
    { "tcp, CLOSE_WAIT", make_close_wait },
    { "tcp, CLOSE_WAIT, read to its end", make_close_wait_read },
    { "tcp, FIN_WAIT2", make_fin_wait },
    { "tcp, LAST_ACK", make_last_ack },
    { "tcp, SYN_SENT", make_syn_sent },
    { "tcp, IPv6", make_tcp6 },
    { "tcp, IPv4 in IPv6", make_mapped },
    { "tcp, listener on any", make_any_listener },
    { "tcp, fresh", make_tcp_fresh },
    { "tcp, bound", make_tcp_bound },
    { "tcp, reset", make_tcp_reset },
    { "mptcp, listener", make_mptcp },
    { "udp", make_udp4 },
    { "udp, IPv6", make_udp6 },
    { "udp, connected", make_udp_connected },
    { "udp, fresh", make_udp_fresh },
    { "udplite", make_udplite },
    { "raw", make_raw },
    { "unix, listener", make_unix_listener },
    { "unix, client", make_unix_client },
    { "unix, accepted", make_unix_accepted },
    { "unix, not accepted", make_unix_pending },
    { "unix, abstract", make_abstract },
    { "unix, odd abstract", make_odd_abstract },
    { "unix, pair", make_stream_pair },
    { "unix, pair of packets", make_packet_pair },
    { "unix, pair of datagrams", make_datagram_pair },
    { "unix, pair closed", make_pair_closed },
    { "unix, fresh", make_unix_fresh },
    { "netlink", make_netlink },
    { "netlink, fresh", make_netlink_fresh },
    { "packet", make_packet },
    { "vsock", make_vsock },
    { "of another network", make_of_other_network },
};

#define ROWS (sizeof rows / sizeof *rows)

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/snag-sockets-XXXXXX");
    looker = fd_looker_start(0, true);
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    fd_looker_stop(looker);
    return system(command) == 0 ? 0 : -1;
}

static int run_all(const char *name)
{
    struct CMUnitTest tests[ROWS + 3];
    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, test_socket, NULL, clean, &rows[i] };
    tests[ROWS] = (struct CMUnitTest){ "a hundred leaked", test_hundred_leaked, NULL, NULL, NULL };
    tests[ROWS + 1] = (struct CMUnitTest){ "many", test_many, NULL, NULL, NULL };
    tests[ROWS + 2] = (struct CMUnitTest){ "some alone", test_some_alone, NULL, NULL, NULL };
    return cmocka_run_group_tests_name(name, tests, begin, end);
}

/* socket(AF_NETLINK, ..., NETLINK_SOCK_DIAG) is refused, as in a container's filter. */
static bool refuse_sock_diag(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_SOCK_DIAG, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

int main(void)
{
    int failed = run_all("sockets");
    if (!refuse_sock_diag())
        return failed;
    by_files = true;
    return failed + run_all("sockets, sock_diag refused");
}
