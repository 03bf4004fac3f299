/* calls_pair.c: calls that make several descriptors, or one at a given number. */
#include "track/interpose.h"

#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCM_PIDFD_NUMBER 4 /* SCM_PIDFD, of Linux 6.5 */

static void opened_two(int status, const int *pair, enum track_call call, const void *frame)
{
    if (status != 0)
        return;
    track_opened(pair[0], call, frame);
    track_opened(pair[1], call, frame);
}

INTERPOSE(int, pipe, (int pair[2]))
{
    int status = REAL(pipe)(pair);
    opened_two(status, pair, CALL_pipe, STACK_FRAME);
    return status;
}

INTERPOSE(int, pipe2, (int pair[2], int flags))
{
    int status = REAL(pipe2)(pair, flags);
    opened_two(status, pair, CALL_pipe2, STACK_FRAME);
    return status;
}

INTERPOSE(int, socketpair, (int domain, int type, int protocol, int pair[2]))
{
    int status = REAL(socketpair)(domain, type, protocol, pair);
    opened_two(status, pair, CALL_socketpair, STACK_FRAME);
    return status;
}

INTERPOSE(int, openpty,
          (int *master, int *slave, char *name, const struct termios *terminal,
           const struct winsize *size))
{
    int status = REAL(openpty)(master, slave, name, terminal, size);
    const int pair[] = { status == 0 ? *master : -1, status == 0 ? *slave : -1 };
    opened_two(status, pair, CALL_openpty, STACK_FRAME);
    return status;
}

/* What was open as FD ends in the same moment. That is part of the new record:
 * nobody closed it but the one who opened the new one. */
static void replaced(int old, int fd, enum track_call call, const void *frame)
{
    if (fd >= 0 && fd != old)
        track_opened(fd, call, frame);
}

INTERPOSE(int, dup2, (int old, int new))
{
    int fd = REAL(dup2)(old, new);
    replaced(old, fd, CALL_dup2, STACK_FRAME);
    return fd;
}

INTERPOSE(int, dup3, (int old, int new, int flags))
{
    int fd = REAL(dup3)(old, new, flags);
    replaced(old, fd, CALL_dup3, STACK_FRAME);
    return fd;
}

/* Every descriptor that came with MESSAGE. */
static void received(struct msghdr *message, enum track_call call, const void *frame)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        bool has_fds = part->cmsg_type == SCM_RIGHTS || part->cmsg_type == SCM_PIDFD_NUMBER;
        if (part->cmsg_level != SOL_SOCKET || !has_fds || part->cmsg_len < CMSG_LEN(0))
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            track_opened(fd, call, frame);
        }
    }
}

INTERPOSE(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags))
{
    ssize_t length = REAL(recvmsg)(fd, message, flags);
    if (length >= 0)
        received(message, CALL_recvmsg, STACK_FRAME);
    return length;
}

INTERPOSE(int, recvmmsg,
          (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout))
{
    int got = REAL(recvmmsg)(fd, messages, count, flags, timeout);
    for (int i = 0; i < got; i++)
        received(&messages[i].msg_hdr, CALL_recvmmsg, STACK_FRAME);
    return got;
}
