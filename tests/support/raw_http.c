/* raw_http.c: a client that sends what it is told; see raw_http.h. */
#include "raw_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

union endpoint {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static socklen_t fill(const char *address, union endpoint *endpoint)
{
    char host[64];
    memset(endpoint, 0, sizeof *endpoint);
    if (strncmp(address, "unix:", 5) == 0) {
        endpoint->un.sun_family = AF_UNIX;
        snprintf(endpoint->un.sun_path, sizeof endpoint->un.sun_path, "%s", address + 5);
        return sizeof endpoint->un;
    }
    const char *colon = strrchr(address, ':');
    uint16_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (address[0] == '[') {
        snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2, address + 1);
        endpoint->in6.sin6_family = AF_INET6;
        endpoint->in6.sin6_port = port;
        return inet_pton(AF_INET6, host, &endpoint->in6.sin6_addr) == 1 ? sizeof endpoint->in6 : 0;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    endpoint->in.sin_family = AF_INET;
    endpoint->in.sin_port = port;
    return inet_pton(AF_INET, host, &endpoint->in.sin_addr) == 1 ? sizeof endpoint->in : 0;
}

int raw_connect(const char *address, int seconds)
{
    union endpoint endpoint;
    socklen_t length = fill(address, &endpoint);
    if (!length)
        return -EINVAL;
    int fd = socket(endpoint.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* A dump may ask this very thread by a signal, and connect is not restarted. */
    int error = connect(fd, &endpoint.any, length) == 0 ? 0 : errno;
    if (error == EINTR) {
        struct pollfd connected = { .fd = fd, .events = POLLOUT };
        while (poll(&connected, 1, seconds * 1000) < 0 && errno == EINTR)
            ;
        socklen_t size = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error) {
        close(fd);
        return -error;
    }
    const struct timeval limit = { .tv_sec = seconds };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return fd;
}

bool raw_send(int fd, const void *bytes, size_t length)
{
    const char *from = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, from, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        from += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool raw_send_text(int fd, const char *text)
{
    return raw_send(fd, text, strlen(text));
}

/* Up to LENGTH bytes, 0 at the end, or a negative errno. */
static ssize_t receive(int fd, void *bytes, size_t length)
{
    ssize_t got;
    do
        got = recv(fd, bytes, length, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int receive_all(int fd, char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t got = receive(fd, bytes, length);
        if (got <= 0)
            return got < 0 ? (int)got : -ECONNRESET;
        bytes += got;
        length -= (size_t)got;
    }
    return 0;
}

/* Byte by byte, so that nothing of what follows is taken. */
static int receive_head(int fd, char *head, size_t size)
{
    for (size_t length = 0; length + 1 < size; length++) {
        int status = receive_all(fd, head + length, 1);
        if (status)
            return status;
        head[length + 1] = 0;
        if (length >= 3 && memcmp(head + length - 3, "\r\n\r\n", 4) == 0)
            return 0;
    }
    return -EMSGSIZE;
}

bool raw_header(const struct http_reply *reply, const char *name, char *text, size_t size)
{
    size_t length = strlen(name);
    for (const char *line = strchr(reply->head, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        line += length + 1;
        line += strspn(line, " ");
        snprintf(text, size, "%.*s", (int)strcspn(line, "\r\n"), line);
        return true;
    }
    return false;
}

int raw_reply(int fd, bool is_head, struct http_reply *reply)
{
    char head[16384];
    char length[32];
    memset(reply, 0, sizeof *reply);
    int status = receive_head(fd, head, sizeof head);
    if (status)
        return status;
    if (sscanf(head, "HTTP/1.1 %d ", &reply->status) != 1)
        return -EPROTO;
    reply->head = strdup(head);
    if (!raw_header(reply, "Content-Length", length, sizeof length))
        return -EPROTO;
    reply->length = is_head ? 0 : strtoul(length, NULL, 10);
    reply->body = calloc(1, reply->length + 1);
    return receive_all(fd, reply->body, reply->length);
}

bool raw_is_closed(int fd)
{
    char byte;
    ssize_t got = receive(fd, &byte, 1);
    return got == 0 || got == -ECONNRESET;
}

int raw_ask(const char *address, struct http_reply *reply, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    memset(reply, 0, sizeof *reply);
    int fd = raw_connect(address, 20);
    int status = fd < 0 ? fd : 0;
    if (status == 0) {
        /* It may be refused before all of it is sent: the reply is there even so. */
        raw_send(fd, text, (size_t)length);
        status = raw_reply(fd, strncmp(text, "HEAD ", 5) == 0, reply);
        close(fd);
    }
    free(text);
    return status;
}
