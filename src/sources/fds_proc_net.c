/* fds_proc_net.c: /proc/PID/net/tcp and the like; see fds_proc_net.h and proc_pid_net(5).
 *
 * They are the lists of the thread's own network namespace. Each line is cut into
 * words; what a word means is counted from the left. Addresses stand there as 32-bit
 * words in the machine's own order, so that a word put back into memory is in the network's. */
#include "sources/fds_proc_net.h"

#include "base/target.h"
#include "sources/fds_info.h"
#include "sources/fds_protocols.h"
#include "sources/fds_sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WORDS_MOST 12u

struct line {
    char *words[WORDS_MOST]; /* terminated; NULL behind the last */
    size_t count;
    char *rest; /* behind the last word that was cut off */
};

/* Cuts up to MOST words off the line at TEXT. */
static void cut(char *text, size_t most, struct line *line)
{
    *line = (struct line){ 0 };
    while (line->count < most) {
        text += strspn(text, " ");
        if (!*text)
            break;
        line->words[line->count++] = text;
        text += strcspn(text, " ");
        if (*text)
            *text++ = 0;
    }
    line->rest = text;
}

static uint64_t number(const char *word, unsigned base)
{
    return fd_info_number(&word, base);
}

typedef void take_line(struct socket_set *set, struct line *line, const void *list);

/* Every line of the file below the first, which is its heading, cut into up to MOST words. */
static int read_file(struct socket_set *set, int task, const char *name, size_t most,
                     take_line *take, const void *list)
{
    char path[32];
    char *text;
    snprintf(path, sizeof path, "net/%s", name);
    ssize_t length = proc_read_whole(task, path, &text);
    if (length < 0)
        return (int)length;
    char *next = strchr(text, '\n');
    while (next) {
        char *at = next + 1;
        struct line line;
        next = strchr(at, '\n');
        if (next)
            *next = 0;
        cut(at, most, &line);
        if (line.count > 0)
            take(set, &line, list);
    }
    free(text);
    return 0;
}

/* "0100007F:1F90" with 8 or 32 digits: the port, and the address into BYTES. */
static uint16_t read_address(const char *word, uint32_t bytes[4])
{
    char digits[9] = { 0 };
    for (int i = 0; i < 4 && strlen(word) > 8; i++, word += 8) {
        memcpy(digits, word, 8);
        bytes[i] = (uint32_t)number(digits, 16);
    }
    return *word == ':' ? (uint16_t)number(word + 1, 16) : 0;
}

struct inet_file {
    int family;
    int protocol;
};

/* sl local remote st tx:rx tr:when retrnsmt uid timeout inode */
static void take_inet(struct socket_set *set, struct line *line, const void *list)
{
    const struct inet_file *file = list;
    uint32_t local[4] = { 0 };
    uint32_t peer[4] = { 0 };
    if (line->count < 10)
        return;
    int state = (int)number(line->words[3], 16);
    struct socket_fact *fact = socket_set_find(set, number(line->words[9], 10));
    if (!fact && state != TCP_LISTEN)
        return;
    const char *queues = line->words[4];
    struct inet_facts facts = {
        .family = file->family,
        .protocol = file->protocol,
        .state = state,
        .local = local,
        .local_port = read_address(line->words[1], local),
        .peer = peer,
        .peer_port = read_address(line->words[2], peer),
        .send_queue = fd_info_number(&queues, 16),
        .end_is_counted = true,
    };
    facts.receive_queue = *queues == ':' ? number(queues + 1, 16) : 0;
    inet_facts_take(set, fact, &facts);
}

int proc_net_inet(struct socket_set *set, int task, const char *name, int family, int protocol)
{
    const struct inet_file file = { family, protocol };
    return read_file(set, task, name, 10, take_inet, &file);
}

int proc_net_tcp(struct socket_set *set, int task)
{
    int error = proc_net_inet(set, task, "tcp", AF_INET, IPPROTO_TCP);
    int error6 = set->missing > 0 ? proc_net_inet(set, task, "tcp6", AF_INET6, IPPROTO_TCP) : 0;
    return error ? error : error6 == -ENOENT ? 0 : error6;
}

/* Num RefCount Protocol Flags Type St Inode Path, the path with whatever is in it. No queues and
 * no other end here. */
static void take_unix(struct socket_set *set, struct line *line, const void *list)
{
    (void)list;
    struct socket_fact *fact =
        line->count == 7 ? socket_set_find(set, number(line->words[6], 10)) : NULL;
    if (!fact)
        return;
    const bool listens = number(line->words[3], 16) & 0x10000; /* __SO_ACCEPTCON */
    const bool connected = number(line->words[5], 16) == 3;    /* SS_CONNECTED */
    unix_facts_take(set, fact,
                    &(struct unix_facts){
                        .type = (int)number(line->words[4], 16),
                        .state = listens     ? TCP_LISTEN
                                 : connected ? TCP_ESTABLISHED
                                             : TCP_CLOSE,
                        .name = line->rest,
                    });
}

int proc_net_unix(struct socket_set *set, int task)
{
    return read_file(set, task, "unix", 7, take_unix, NULL);
}

/* sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode */
static void take_netlink(struct socket_set *set, struct line *line, const void *list)
{
    (void)list;
    struct socket_fact *fact =
        line->count >= 10 ? socket_set_find(set, number(line->words[9], 10)) : NULL;
    if (fact)
        netlink_facts_take(set, fact, (unsigned)number(line->words[1], 10),
                           (unsigned)number(line->words[2], 10));
}

int proc_net_netlink(struct socket_set *set, int task)
{
    return read_file(set, task, "netlink", 10, take_netlink, NULL);
}

/* sk RefCnt Type Proto Iface R Rmem User Inode */
static void take_packet(struct socket_set *set, struct line *line, const void *list)
{
    (void)list;
    struct socket_fact *fact =
        line->count >= 9 ? socket_set_find(set, number(line->words[8], 10)) : NULL;
    if (fact)
        packet_facts_take(set, fact, (unsigned)number(line->words[3], 16),
                          (unsigned)number(line->words[4], 10));
}

int proc_net_packet(struct socket_set *set, int task)
{
    return read_file(set, task, "packet", 9, take_packet, NULL);
}
