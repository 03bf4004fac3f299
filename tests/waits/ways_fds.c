/* ways_fds.c: on descriptors, one and many. */
#include "ways.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char big[1 << 20];

static void must(struct way *way, long result, const char *what)
{
    if (result < 0)
        cannot(way, what);
}

static int new_pipe(struct way *way, int end)
{
    int ends[2];
    must(way, pipe(ends), "pipe");
    way->fd = ends[end];
    return way->fd;
}

/* ---- one descriptor ---- */

static NOINLINE void in_read(struct way *way)
{
    char byte;
    if (read(new_pipe(way, 0), &byte, 1) >= 0)
        STAY();
}

static NOINLINE void in_readv(struct way *way)
{
    char byte;
    struct iovec to = { &byte, 1 };
    if (readv(new_pipe(way, 0), &to, 1) >= 0)
        STAY();
}

static NOINLINE void in_write(struct way *way)
{
    if (write(new_pipe(way, 1), big, sizeof big) >= 0)
        STAY();
}

static NOINLINE void in_writev(struct way *way)
{
    struct iovec from = { big, sizeof big };
    if (writev(new_pipe(way, 1), &from, 1) >= 0)
        STAY();
}

static NOINLINE void in_vmsplice(struct way *way)
{
    struct iovec from = { big, sizeof big };
    if (vmsplice(new_pipe(way, 1), &from, 1, 0) >= 0 && vmsplice(way->fd, &from, 1, 0) >= 0)
        STAY();
}

static NOINLINE void in_sendfile(struct way *way)
{
    FILE *file = tmpfile();
    if (!file)
        cannot(way, "tmpfile");
    fwrite(big, 1, sizeof big, file);
    rewind(file);
    if (sendfile(new_pipe(way, 1), fileno(file), NULL, sizeof big) >= 0 &&
        sendfile(way->fd, fileno(file), NULL, sizeof big) >= 0)
        STAY();
}

static NOINLINE void in_splice(struct way *way)
{
    int from = new_pipe(way, 0);
    int to = new_pipe(way, 1);
    way->fd = -1;
    if (splice(from, NULL, to, NULL, 100, 0) >= 0)
        STAY();
}

static NOINLINE void in_tee(struct way *way)
{
    int from = new_pipe(way, 0);
    int to = new_pipe(way, 1);
    way->fd = -1;
    if (tee(from, to, 100, 0) >= 0)
        STAY();
}

static NOINLINE void in_eventfd(struct way *way)
{
    eventfd_t value;
    way->fd = eventfd(0, 0);
    eventfd_read(way->fd, &value);
    STAY();
}

static NOINLINE void in_timerfd(struct way *way)
{
    uint64_t value;
    struct itimerspec time = { .it_value = { LONG_TIME, 0 } };
    way->fd = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(way->fd, 0, &time, NULL);
    if (read(way->fd, &value, sizeof value) >= 0)
        STAY();
}

static NOINLINE void in_signalfd(struct way *way)
{
    struct signalfd_siginfo info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    way->fd = signalfd(-1, &set, 0);
    if (read(way->fd, &info, sizeof info) >= 0)
        STAY();
}

static NOINLINE void in_inotify(struct way *way)
{
    way->fd = inotify_init();
    must(way, way->fd, "inotify_init");
    if (read(way->fd, big, 4096) >= 0)
        STAY();
}

/* ---- sockets ---- */

static struct sockaddr_in loopback(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &length);
    return ntohs(address.sin_port);
}

static int listener(struct way *way, int backlog)
{
    struct sockaddr_in address = loopback();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    must(way, fd, "socket");
    must(way, bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    must(way, listen(fd, backlog), "listen");
    return fd;
}

static int client_of(struct way *way, int port, bool blocking)
{
    struct sockaddr_in address = loopback();
    int fd = socket(AF_INET, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0);
    must(way, fd, "socket");
    address.sin_port = htons((in_port_t)port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && blocking)
        cannot(way, "connect");
    return fd;
}

static NOINLINE void in_recv(struct way *way)
{
    char byte;
    int port = port_of(listener(way, 8));
    way->fd = client_of(way, port, true);
    snprintf(way->made, sizeof way->made, "tcp 127.0.0.1:%d ESTABLISHED", port);
    snprintf(way->detail, sizeof way->detail, "tcp 127.0.0.1:%d -> 127.0.0.1:%d ESTABLISHED",
             port_of(way->fd), port);
    recv(way->fd, &byte, 1, 0);
    STAY();
}

static NOINLINE void in_recvmsg(struct way *way)
{
    char byte;
    struct iovec to = { &byte, 1 };
    struct msghdr message = { .msg_iov = &to, .msg_iovlen = 1 };
    int port = port_of(listener(way, 8));
    way->fd = client_of(way, port, true);
    snprintf(way->made, sizeof way->made, "tcp 127.0.0.1:%d ESTABLISHED", port);
    recvmsg(way->fd, &message, 0);
    STAY();
}

/* The other side is done, and so much has come that nobody reads: what is written is not taken. */
static NOINLINE void in_send_in_close_wait(struct way *way)
{
    int server = listener(way, 8);
    int port = port_of(server);
    way->fd = client_of(way, port, true);
    int accepted = accept(server, NULL, NULL);
    if (send(accepted, big, 100, 0) != 100 || shutdown(accepted, SHUT_WR) < 0)
        cannot(way, "shutdown");
    snprintf(way->made, sizeof way->made, "tcp 127.0.0.1:%d CLOSE_WAIT", port);
    snprintf(way->detail, sizeof way->detail, "100 bytes unread");
    for (;;)
        send(way->fd, big, sizeof big, 0);
}

static NOINLINE void in_recv_accepted(struct way *way)
{
    char byte;
    int server = listener(way, 8);
    client_of(way, port_of(server), true);
    way->fd = accept(server, NULL, NULL);
    snprintf(way->made, sizeof way->made, "tcp 127.0.0.1:%d from 127.0.0.1 ESTABLISHED",
             port_of(server));
    recv(way->fd, &byte, 1, 0);
    STAY();
}

static NOINLINE void in_accept(struct way *way)
{
    way->fd = listener(way, 8);
    snprintf(way->made, sizeof way->made, "tcp 127.0.0.1:%d LISTEN", port_of(way->fd));
    accept(way->fd, NULL, NULL);
    STAY();
}

/* A listener whose queue is full does not answer. */
static NOINLINE void in_connect(struct way *way)
{
    struct sockaddr_in address = loopback();
    int port = port_of(listener(way, 0));
    for (int i = 0; i < 4; i++)
        client_of(way, port, false);
    usleep(50000);
    way->fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((in_port_t)port);
    snprintf(way->made, sizeof way->made, "tcp 127.0.0.1:%d SYN_SENT", port);
    connect(way->fd, (struct sockaddr *)&address, sizeof address);
    STAY();
}

static NOINLINE void in_udp(struct way *way)
{
    char byte;
    struct sockaddr_in address = loopback();
    way->fd = socket(AF_INET, SOCK_DGRAM, 0);
    must(way, bind(way->fd, (struct sockaddr *)&address, sizeof address), "bind");
    snprintf(way->made, sizeof way->made, "udp 127.0.0.1:%d unconnected", port_of(way->fd));
    recvfrom(way->fd, &byte, 1, 0, NULL, NULL);
    STAY();
}

static NOINLINE void in_recvmmsg(struct way *way)
{
    char byte;
    struct iovec to = { &byte, 1 };
    struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &to, .msg_iovlen = 1 } },
                                   { .msg_hdr = { .msg_iov = &to, .msg_iovlen = 1 } } };
    struct sockaddr_in address = loopback();
    way->fd = socket(AF_INET, SOCK_DGRAM, 0);
    must(way, bind(way->fd, (struct sockaddr *)&address, sizeof address), "bind");
    snprintf(way->made, sizeof way->made, "udp 127.0.0.1:%d unconnected", port_of(way->fd));
    recvmmsg(way->fd, messages, 2, 0, NULL);
    STAY();
}

static NOINLINE void in_socketpair(struct way *way)
{
    char byte;
    int ends[2];
    must(way, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    way->fd = ends[0];
    recv(ends[0], &byte, 1, 0);
    STAY();
}

static char socket_path[64];

static NOINLINE void in_unix_accept(struct way *way)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(socket_path, sizeof socket_path, "/tmp/snag-socket-%d", (int)getpid());
    unlink(socket_path); /* of an earlier process with this id */
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    way->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(way, bind(way->fd, (struct sockaddr *)&address, sizeof address), socket_path);
    must(way, listen(way->fd, 1), "listen");
    snprintf(way->made, sizeof way->made, "unix %s LISTEN", socket_path);
    accept(way->fd, NULL, NULL);
    STAY();
}

/* ---- sets ---- */

static NOINLINE void in_poll(struct way *way)
{
    struct pollfd fds[4] = { { new_pipe(way, 0), POLLIN, 0 },
                             { new_pipe(way, 0), POLLIN, 0 },
                             { -1, POLLIN, 0 },
                             { new_pipe(way, 0), POLLIN, 0 } };
    snprintf(way->detail, sizeof way->detail, "fd %d, pipe", way->fd);
    way->fd = -1;
    poll(fds, 4, -1);
    STAY();
}

/* Of more than are looked at, the same one again and again; the rest of the set is off. */
static NOINLINE void in_poll_of_many(struct way *way)
{
    static struct pollfd fds[3000];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (size_t i = 0; i < 3000; i++)
        fds[i] = (struct pollfd){ i > 0 && i < 2900 ? fds[0].fd
                                  : i               ? -1
                                                    : new_pipe(way, 0),
                                  POLLIN, 0 };
    snprintf(way->detail, sizeof way->detail, "and 2892 more");
    way->fd = -1;
    poll(fds, 3000, -1);
    STAY();
}

static NOINLINE void in_poll_of_one(struct way *way)
{
    struct pollfd fd = { new_pipe(way, 0), POLLIN, 0 };
    way->timed = true;
    poll(&fd, 1, LONG_TIME * 1000);
    STAY();
}

static NOINLINE void in_poll_of_none(struct way *way)
{
    way->timed = true;
    poll(NULL, 0, LONG_TIME * 1000);
    STAY();
}

static NOINLINE void in_ppoll(struct way *way)
{
    struct pollfd fds[2] = { { new_pipe(way, 0), POLLIN, 0 }, { new_pipe(way, 0), POLLIN, 0 } };
    struct timespec time = { LONG_TIME, 0 };
    way->fd = -1;
    way->timed = true;
    ppoll(fds, 2, &time, NULL);
    STAY();
}

static NOINLINE void in_ppoll_of_none(struct way *way)
{
    (void)way;
    ppoll(NULL, 0, NULL, NULL);
    STAY();
}

static NOINLINE void in_select(struct way *way)
{
    fd_set reads;
    fd_set writes;
    struct timeval time = { LONG_TIME, 0 };
    int first = new_pipe(way, 0);
    int full = new_pipe(way, 1);
    fcntl(full, F_SETFL, O_NONBLOCK);
    while (write(full, big, sizeof big) > 0)
        STAY();
    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_SET(first, &reads);
    FD_SET(full, &writes);
    way->fd = -1;
    way->timed = true;
    snprintf(way->detail, sizeof way->detail, "fd %d, pipe", full);
    select(full + 1, &reads, &writes, NULL, &time);
    STAY();
}

static NOINLINE void in_pselect_of_one(struct way *way)
{
    fd_set reads;
    int fd = new_pipe(way, 0);
    FD_ZERO(&reads);
    FD_SET(fd, &reads);
    pselect(fd + 1, &reads, NULL, NULL, NULL, NULL);
    STAY();
}

static int new_epoll(struct way *way, int count)
{
    int epoll = epoll_create1(0);
    must(way, epoll, "epoll_create1");
    for (int i = 0; i < count; i++) {
        struct epoll_event event = { .events = EPOLLIN };
        must(way, epoll_ctl(epoll, EPOLL_CTL_ADD, new_pipe(way, 0), &event), "epoll_ctl");
    }
    way->fd = epoll;
    return epoll;
}

static NOINLINE void in_epoll(struct way *way)
{
    struct epoll_event event;
    epoll_wait(new_epoll(way, 12), &event, 1, -1);
    STAY();
}

static NOINLINE void in_epoll_of_one(struct way *way)
{
    struct epoll_event event;
    way->timed = true;
    epoll_pwait(new_epoll(way, 1), &event, 1, LONG_TIME * 1000, NULL);
    STAY();
}

/* ---- locks on files, a queue ---- */

static int new_file(struct way *way, char path[64])
{
    snprintf(path, 64, "/tmp/snag-locked-XXXXXX");
    int fd = mkstemp(path);
    must(way, fd, path);
    return fd;
}

static NOINLINE void in_flock(struct way *way)
{
    char path[64];
    flock(new_file(way, path), LOCK_EX);
    way->fd = open(path, O_RDWR);
    way->holder = getpid();
    unlink(path);
    snprintf(way->detail, sizeof way->detail, "%s", path);
    flock(way->fd, LOCK_EX);
    STAY();
}

static void lock_whole(struct flock *lock, short type)
{
    *lock = (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

static NOINLINE void in_fcntl_lock(struct way *way)
{
    char path[64];
    struct flock lock;
    int ends[2];
    char byte;
    way->fd = new_file(way, path);
    must(way, pipe(ends), "pipe");
    unlink(path);
    way->holder = fork();
    if (way->holder == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "locker");
        lock_whole(&lock, F_WRLCK);
        fcntl(way->fd, F_SETLKW, &lock);
        if (write(ends[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    if (read(ends[0], &byte, 1) != 1)
        cannot(way, "fork");
    lock_whole(&lock, F_RDLCK);
    fcntl(way->fd, F_SETLKW, &lock);
    STAY();
}

static NOINLINE void in_open_file_lock(struct way *way)
{
    char path[64];
    struct flock lock;
    int first = new_file(way, path);
    lock_whole(&lock, F_WRLCK);
    must(way, fcntl(first, F_OFD_SETLK, &lock), "F_OFD_SETLK");
    way->fd = open(path, O_RDWR);
    unlink(path);
    lock_whole(&lock, F_WRLCK);
    fcntl(way->fd, F_OFD_SETLKW, &lock);
    STAY();
}

static char queue_name[64];

static NOINLINE void in_queue(struct way *way)
{
    struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 16 };
    snprintf(queue_name, sizeof queue_name, "/snag-queue-%d", (int)getpid());
    way->fd = mq_open(queue_name, O_CREAT | O_RDWR, 0600, &attributes);
    must(way, way->fd, queue_name);
    snprintf(way->made, sizeof way->made, "message queue %s", queue_name);
    mq_receive(way->fd, big, sizeof big, NULL);
    STAY();
}

void fds_clean_up(void)
{
    unlink(socket_path);
    mq_unlink(queue_name);
}

const struct kind_of_wait ways_fds[] = {
    { "read", in_read, "pipe" },
    { "readv", in_readv, "pipe" },
    { "write", in_write, "pipe" },
    { "writev", in_writev, "pipe" },
    { "vmsplice", in_vmsplice, "pipe" },
    { "sendfile", in_sendfile, "pipe" },
    { "splice", in_splice, "pipe or pipe" },
    { "tee", in_tee, "pipe or pipe" },
    { "eventfd", in_eventfd, "eventfd" },
    { "timerfd", in_timerfd, "timerfd" },
    { "signalfd", in_signalfd, "signalfd" },
    { "inotify", in_inotify, "inotify" },
    { "recv", in_recv, NULL },
    { "recvmsg", in_recvmsg, NULL },
    { "send in CLOSE_WAIT", in_send_in_close_wait, NULL },
    { "recv of an accepted socket", in_recv_accepted, NULL },
    { "accept", in_accept, NULL },
    { "connect", in_connect, NULL },
    { "recvfrom", in_udp, NULL },
    { "recvmmsg", in_recvmmsg, NULL },
    { "recv of a socket pair", in_socketpair, "unix" },
    { "accept of a Unix socket", in_unix_accept, NULL },
    { "poll", in_poll, "poll[3 fds]" },
    { "poll of many", in_poll_of_many, "poll[2900 fds]" },
    { "poll of one", in_poll_of_one, "pipe" },
    { "poll of none", in_poll_of_none, "sleep" },
    { "ppoll", in_ppoll, "poll[2 fds]" },
    { "ppoll of none", in_ppoll_of_none, "any signal" },
    { "select", in_select, "select[2 fds]" },
    { "pselect of one", in_pselect_of_one, "pipe" },
    { "epoll", in_epoll, "epoll[12 fds]" },
    { "epoll of one", in_epoll_of_one, "epoll[1 fd]" },
    { "flock", in_flock, "file lock held by this process" },
    { "fcntl", in_fcntl_lock, "file lock held by process locker" },
    { "fcntl of an open file", in_open_file_lock, "file lock" },
    { "mq_receive", in_queue, NULL },
    { NULL, NULL, NULL },
};
