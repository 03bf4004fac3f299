/* listen.c: binding a port; see listen.h.
 *
 * SO_REUSEADDR only skips the wait for connections of an earlier life of this service: on
 * Linux it does not let two listen at the same time. Of a range the first port that is
 * free is taken; any failure other than "in use" ends the search. */
#include "server/listen.h"

#include "server/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

union endpoint {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static socklen_t fill(union endpoint *endpoint, const struct listen_address *address, uint16_t port)
{
    memset(endpoint, 0, sizeof *endpoint);
    if (address->family == AF_INET6) {
        endpoint->in6.sin6_family = AF_INET6;
        endpoint->in6.sin6_addr = address->in6;
        endpoint->in6.sin6_port = htons(port);
        return sizeof endpoint->in6;
    }
    endpoint->in.sin_family = AF_INET;
    endpoint->in.sin_addr = address->in;
    endpoint->in.sin_port = htons(port);
    return sizeof endpoint->in;
}

/* A socket that listens, or a negative errno. */
static int open_port(const struct listen_address *address, uint16_t port)
{
    const int on = 1;
    union endpoint endpoint;
    socklen_t length = fill(&endpoint, address, port);
    int fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &endpoint.any, length) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static int open_first_free(const struct listen_address *address)
{
    int fd = -EADDRINUSE;
    for (unsigned port = address->first_port; port <= address->last_port; port++) {
        fd = open_port(address, (uint16_t)port);
        if (fd != -EADDRINUSE)
            break;
    }
    return fd;
}

static bool name_endpoint(int fd, char *text, size_t size)
{
    union endpoint endpoint;
    socklen_t length = sizeof endpoint;
    char host[INET6_ADDRSTRLEN];
    if (getsockname(fd, &endpoint.any, &length) != 0)
        return false;
    if (endpoint.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &endpoint.in6.sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%u", host, (unsigned)ntohs(endpoint.in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &endpoint.in.sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%u", host, (unsigned)ntohs(endpoint.in.sin_port));
    }
    return true;
}

static void explain(int error, const struct listen_address *address, char *why, size_t size)
{
    const char *hint = "";
    if (error == EADDRINUSE && address->first_port != address->last_port)
        hint = " (every port of the range)";
    else if (error == EADDRINUSE)
        hint = "; port 0 takes any free one, a range like 6060-6079 the first free one";
    else if (error == EAFNOSUPPORT && address->family == AF_INET6)
        hint = "; this machine has no IPv6";
    else if (error == EADDRNOTAVAIL)
        hint = "; no network interface of this machine has it";
    else if (error == EACCES)
        hint = "; the system refuses this port to this user";
    snprintf(why, size, "%s%s", strerror(error), hint);
}

int listen_open(struct listening *listening, const struct listen_address *address, char *why,
                size_t size)
{
    *listening = (struct listening){ .fd = -1, .directory_fd = -1 };
    if (address->family == AF_UNIX)
        return listen_open_unix(listening, address, why, size);
    int fd = open_first_free(address);
    if ((fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) && address->is_localhost) {
        struct listen_address six = *address;
        six.family = AF_INET6;
        six.in6 = in6addr_loopback;
        fd = open_first_free(&six);
    }
    if (fd >= 0 && !name_endpoint(fd, listening->text, sizeof listening->text)) {
        close(fd);
        fd = -EBADF;
    }
    if (fd < 0) {
        explain(-fd, address, why, size);
        return fd;
    }
    listening->fd = fd;
    return 0;
}

static void remove_file(const struct listening *listening)
{
    struct stat now;
    if (fstatat(listening->directory_fd, listening->name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
        now.st_dev == listening->device && now.st_ino == listening->inode)
        unlinkat(listening->directory_fd, listening->name, 0);
}

void listen_close(struct listening *listening)
{
    if (listening->is_unix && listening->fd >= 0)
        remove_file(listening);
    if (listening->fd >= 0)
        close(listening->fd);
    if (listening->directory_fd >= 0)
        close(listening->directory_fd);
    listening->fd = listening->directory_fd = -1;
}
