/* http_get.c: one GET, see http_get.h. The whole reply is read until the server
 * closes, then taken apart: a reply cut short is an error, never a shorter body. */
#include "http_get.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t parse_address(const char *address, struct sockaddr_storage *socket_address)
{
    memset(socket_address, 0, sizeof *socket_address);
    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un *local = (struct sockaddr_un *)socket_address;
        local->sun_family = AF_UNIX;
        snprintf(local->sun_path, sizeof local->sun_path, "%s", address + 5);
        return sizeof *local;
    }
    const char *colon = strrchr(address, ':');
    if (!colon)
        return 0;
    in_port_t port = htons((uint16_t)atoi(colon + 1));
    char host[64];
    bool six = address[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)(colon - address) - (six ? 2 : 0), address + six);
    if (six) {
        struct sockaddr_in6 *to = (struct sockaddr_in6 *)socket_address;
        to->sin6_family = AF_INET6;
        to->sin6_port = port;
        return inet_pton(AF_INET6, host, &to->sin6_addr) == 1 ? sizeof *to : 0;
    }
    struct sockaddr_in *to = (struct sockaddr_in *)socket_address;
    to->sin_family = AF_INET;
    to->sin_port = port;
    return inet_pton(AF_INET, host, &to->sin_addr) == 1 ? sizeof *to : 0;
}

/* 0 or an errno. A dump may ask this very thread by a signal, and connect is
 * not restarted: it goes on by itself. */
static int finish_connect(int fd, const struct sockaddr *to, socklen_t size, int seconds)
{
    if (connect(fd, to, size) == 0)
        return 0;
    if (errno != EINTR)
        return errno;
    struct pollfd connected = { .fd = fd, .events = POLLOUT };
    while (poll(&connected, 1, seconds * 1000) < 0 && errno == EINTR)
        continue;
    int error = ETIMEDOUT;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

static int connect_to(const char *address, int seconds)
{
    struct sockaddr_storage to;
    socklen_t size = parse_address(address, &to);
    if (!size)
        return -EINVAL;
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct timeval limit = { .tv_sec = seconds };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    int error = finish_connect(fd, (struct sockaddr *)&to, size, seconds);
    if (error == 0)
        return fd;
    close(fd);
    return -error;
}

/* Everything until the server closes. */
static int read_all(int fd, char **text, size_t *length)
{
    size_t capacity = 0;
    for (;;) {
        if (*length + 65536 > capacity) {
            capacity = capacity ? capacity * 2 : 131072;
            char *more = realloc(*text, capacity + 1);
            if (!more)
                return -ENOMEM;
            *text = more;
        }
        ssize_t got = recv(fd, *text + *length, capacity - *length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (got == 0)
            break;
        *length += (size_t)got;
    }
    (*text)[*length] = 0;
    return 0;
}

/* The value of header NAME (with its colon), NULL when there is none. */
static const char *header(const char *head, const char *name)
{
    const char *line = strcasestr(head, name);
    return line && line > head && line[-1] == '\n' ? line + strlen(name) : NULL;
}

/* Puts the chunks of BODY together, in place. 0, or -EPROTO when it was cut short. */
static int join_chunks(char *body, size_t *length)
{
    char *end = body + *length;
    char *out = body;
    for (char *in = body; in < end;) {
        char *after;
        unsigned long size = strtoul(in, &after, 16);
        after = strstr(after, "\r\n");
        if (after == NULL || size > (size_t)(end - after - 2))
            return -EPROTO;
        after += 2;
        if (size == 0) {
            *length = (size_t)(out - body);
            *out = 0;
            return 0;
        }
        memmove(out, after, size);
        out += size;
        in = after + size + 2;
    }
    return -EPROTO;
}

static int take_apart(char *text, size_t length, struct http_reply *reply)
{
    char *blank = strstr(text, "\r\n\r\n");
    if (!blank || sscanf(text, "HTTP/1.%*c %d", &reply->status) != 1)
        return -EPROTO;
    size_t head = (size_t)(blank - text) + 4;
    reply->head = strndup(text, head);
    reply->length = length - head;
    reply->body = malloc(reply->length + 1);
    if (!reply->head || !reply->body)
        return -ENOMEM;
    memcpy(reply->body, text + head, reply->length + 1);
    const char *encoding = header(reply->head, "Transfer-Encoding:");
    if (encoding && strcasestr(encoding, "chunked"))
        return join_chunks(reply->body, &reply->length);
    const char *promised = header(reply->head, "Content-Length:");
    return promised && strtoul(promised, NULL, 10) != reply->length ? -EPROTO : 0;
}

int http_get(const char *address, const char *path, int seconds, struct http_reply *reply)
{
    memset(reply, 0, sizeof *reply);
    int fd = connect_to(address, seconds);
    if (fd < 0)
        return fd;
    char request[512];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    char *text = NULL;
    size_t length = 0;
    int status = send(fd, request, (size_t)size, MSG_NOSIGNAL) == size ? 0 : -EIO;
    if (status == 0)
        status = read_all(fd, &text, &length);
    close(fd);
    if (status == 0)
        status = take_apart(text, length, reply);
    free(text);
    return status;
}

void http_reply_free(struct http_reply *reply)
{
    free(reply->head);
    free(reply->body);
    memset(reply, 0, sizeof *reply);
}
