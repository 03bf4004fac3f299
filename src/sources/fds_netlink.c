/* fds_netlink.c: sock_diag(7) by plain write and read; see fds_netlink.h.
 *
 * write and read are what every listener does anyway, so that a filter of
 * system calls which the service sets up after the start lets these pass. The kernel makes the
 * answer while it is read, a portion at a time, and waits for nobody. */
#include "sources/fds_netlink.h"

#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

/* As large as the kernel makes one portion. */
#define BUFFER_SIZE 32768u

/* The lists are those of the network namespace that the socket was made in. For another process in
 * another one, this thread goes there for the moment that takes. Where that is refused, the socket
 * is of ours, and whoever asks finds out by `space`. The name of the namespace goes into SPACE. */
static int open_in_namespace(const struct target *target, char *space, size_t size)
{
    int there = -1;
    int here = -1;
    if (!target->self) {
        here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        there = openat(target->live_fd, "ns/net", O_RDONLY | O_CLOEXEC);
    }
    bool moved = here >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int error = errno;
    ssize_t length = target->self ? readlinkat(target->live_fd, "ns/net", space, size - 1)
                                  : readlink("/proc/thread-self/ns/net", space, size - 1);
    space[length > 0 ? length : 0] = 0;
    if (moved)
        setns(here, CLONE_NEWNET);
    if (there >= 0)
        close(there);
    if (here >= 0)
        close(here);
    errno = error;
    return fd;
}

void diag_open(struct diag *diag, const struct target *target)
{
    const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    const struct timeval second = { 1, 0 };
    *diag = (struct diag){ .fd = -1 };
    diag->fd = open_in_namespace(target, diag->space, sizeof diag->space);
    if (diag->fd < 0 || connect(diag->fd, (const void *)&kernel, sizeof kernel) != 0) {
        diag->error = -errno;
        diag_close(diag);
        return;
    }
    setsockopt(diag->fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
}

void diag_close(struct diag *diag)
{
    if (diag->fd >= 0)
        close(diag->fd);
    diag->fd = -1;
    diag_trim(diag);
}

void diag_trim(struct diag *diag)
{
    free(diag->buffer);
    diag->buffer = NULL;
}

static int ask(struct diag *diag, uint16_t type, const void *request, size_t length)
{
    struct nlmsghdr header = {
        .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + length),
        .nlmsg_type = type,
        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
        .nlmsg_seq = ++diag->sequence,
    };
    const struct iovec parts[] = { { &header, sizeof header },
                                   { (void *)(uintptr_t)request, length } };
    return writev(diag->fd, parts, 2) < 0 ? -errno : 0;
}

/* One portion; true when it was the last one, or with *ERROR. */
static bool take_portion(struct diag *diag, size_t length, diag_take *take, void *context,
                         int *error)
{
    const char *at = diag->buffer;
    while (length >= NLMSG_HDRLEN) {
        const struct nlmsghdr *header = (const void *)at;
        size_t size = header->nlmsg_len;
        if (size < NLMSG_HDRLEN || size > length)
            break;
        const void *message = at + NLMSG_HDRLEN;
        if (header->nlmsg_seq != diag->sequence) {
            /* what is left of a list that was given up */
        } else if (header->nlmsg_type == NLMSG_DONE) {
            int status = size >= NLMSG_HDRLEN + sizeof status ? *(const int *)message : 0;
            *error = status < 0 ? status : *error;
            return true;
        } else if (header->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *why = message;
            *error = size >= NLMSG_HDRLEN + sizeof *why && why->error < 0 ? why->error : -EPROTO;
            return true;
        } else {
            if (header->nlmsg_flags & NLM_F_DUMP_INTR)
                *error = -EINTR;
            take(context, message, size - NLMSG_HDRLEN);
        }
        size = NLMSG_ALIGN(size);
        at += size;
        length -= size < length ? size : length;
    }
    return false;
}

int diag_dump(struct diag *diag, uint16_t type, const void *request, size_t length, diag_take *take,
              void *context)
{
    if (diag->fd < 0)
        return diag->error;
    if (!diag->buffer)
        diag->buffer = malloc(BUFFER_SIZE);
    if (!diag->buffer)
        return -ENOMEM;
    int error = ask(diag, type, request, length);
    if (error)
        return error;
    for (;;) {
        ssize_t got = read(diag->fd, diag->buffer, BUFFER_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EPROTO;
        if (take_portion(diag, (size_t)got, take, context, &error))
            return error;
    }
}

const void *diag_attribute(const void *message, size_t length, size_t head, unsigned type,
                           size_t *size)
{
    const char *at = (const char *)message + NLMSG_ALIGN(head);
    size_t left = length > NLMSG_ALIGN(head) ? length - NLMSG_ALIGN(head) : 0;
    while (left >= sizeof(struct nlattr)) {
        const struct nlattr *attribute = (const void *)at;
        size_t whole = attribute->nla_len;
        if (whole < sizeof *attribute || whole > left)
            return NULL;
        if ((attribute->nla_type & NLA_TYPE_MASK) == type) {
            *size = whole - NLA_HDRLEN;
            return at + NLA_HDRLEN;
        }
        whole = NLA_ALIGN(whole);
        at += whole;
        left -= whole < left ? whole : left;
    }
    return NULL;
}
