/* http.c: GET, a head, a body; see http.h.
 *
 * A response lives from http_get() to http_response_close(). Between them its reader
 * thread runs http_response_reader(): it reads the head, and then the handler, which
 * reads the body by http_read_body(). The thread is detached and touches the
 * response no more once the handler has it. */
#include "http.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int responses_open;

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return -EHOSTUNREACH;
    int result = -EHOSTUNREACH;
    for (struct addrinfo *at = found; at && result < 0; at = at->ai_next) {
        int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd < 0) {
            result = -errno;
        } else if (connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            result = -errno;
            close(fd);
        } else {
            result = fd;
        }
    }
    freeaddrinfo(found);
    return result;
}

static int send_request(int fd, const char *host, const char *port, const char *path)
{
    char request[1024];
    int length =
        snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n", path, host, port);
    if (length < 0 || (size_t)length >= sizeof request)
        return -E2BIG;
    for (int sent = 0; sent < length;) {
        ssize_t count = send(fd, request + sent, (size_t)(length - sent), MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR)
            return -errno;
        sent += count > 0 ? (int)count : 0;
    }
    return 0;
}

static ssize_t receive(int fd, char *bytes, size_t size)
{
    ssize_t count;
    do
        count = recv(fd, bytes, size, 0);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

/* A decimal number that ends in one of ENDS; -1 when it is none or too large. */
static long long parse_number(const char *text, const char *ends)
{
    long long number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (number > (LLONG_MAX - 9) / 10)
            return -1;
        number = number * 10 + (*at - '0');
    }
    return at > text && *at && strchr(ends, *at) ? number : -1;
}

/* "HTTP/1.1 404 Not Found": 404, or -EPROTO. */
static int parse_status_line(const char *line)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
        return -EPROTO;
    long long status = parse_number(line + 9, " \r");
    return status >= 100 && status <= 599 ? (int)status : -EPROTO;
}

/* The head is complete in the buffer, a NUL in place of its last line feed. */
static int parse_head(http_response *response)
{
    char *line = response->buffer;
    int status = parse_status_line(line);
    while (status > 0 && (line = strchr(line, '\n')) != NULL && line[1] != '\r') {
        char *name = ++line;
        char *colon = name + strcspn(name, ":\r\n");
        if (*colon != ':' || colon == name)
            return -EPROTO;
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        size_t length = (size_t)(colon - name);
        if (length == strlen("Content-Length") &&
            strncasecmp(name, "Content-Length", length) == 0) {
            response->length = parse_number(value, " \t\r");
            if (response->length < 0)
                return -EPROTO;
        } else if (length == strlen("Transfer-Encoding") &&
                   strncasecmp(name, "Transfer-Encoding", length) == 0) {
            return -EPROTONOSUPPORT;
        }
    }
    return status;
}

/* Receives until the empty line; returns the status or a negative errno. */
static int read_head(http_response *response)
{
    for (;;) {
        size_t room = sizeof response->buffer - response->buffered;
        if (room == 0)
            return -EMSGSIZE;
        ssize_t count = receive(response->socket, response->buffer + response->buffered, room);
        if (count <= 0)
            return count < 0 ? (int)count : -ECONNRESET;
        response->buffered += (size_t)count;
        char *end = memmem(response->buffer, response->buffered, "\r\n\r\n", 4);
        if (end) {
            response->head_size = (size_t)(end - response->buffer) + 4;
            end[3] = 0;
            return memchr(response->buffer, 0, response->head_size - 1) ? -EPROTO
                                                                        : parse_head(response);
        }
    }
}

static void *http_response_reader(void *argument)
{
    http_response *response = argument;
    response->status = read_head(response);
    response->handler(response);
    return NULL;
}

static int start_reader(http_response *response)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, (size_t)256 << 10);
    int error = pthread_create(&thread, &attributes, http_response_reader, response);
    pthread_attr_destroy(&attributes);
    return -error;
}

int http_get(const char *host, const char *port, const char *path, http_handler *handler)
{
    int fd = connect_to(host, port);
    if (fd < 0)
        return fd;
    int status = send_request(fd, host, port, path);
    http_response *response = status ? NULL : calloc(1, sizeof *response);
    if (!response) {
        close(fd);
        return status ? status : -ENOMEM;
    }
    response->socket = fd;
    response->length = -1;
    response->handler = handler;
    atomic_fetch_add(&responses_open, 1);
    status = start_reader(response);
    if (status)
        http_response_close(response);
    return status;
}

/* How much of the body may still be asked for: SIZE, or less where its length is known. */
static size_t body_left(const http_response *response, size_t size)
{
    long long left = response->length - response->received;
    return response->length >= 0 && left < (long long)size ? (size_t)left : size;
}

ssize_t http_read_body(http_response *response, char *piece, size_t size)
{
    if (response->status < 0)
        return response->status;
    size = body_left(response, size);
    if (size == 0)
        return 0;
    size_t at_hand = response->buffered - response->head_size;
    ssize_t count;
    if (at_hand > 0) {
        count = (ssize_t)(at_hand < size ? at_hand : size);
        memcpy(piece, response->buffer + response->head_size, (size_t)count);
        response->head_size += (size_t)count;
    } else {
        count = receive(response->socket, piece, size);
    }
    if (count == 0 && response->length >= 0)
        return -ECONNRESET;
    response->received += count > 0 ? count : 0;
    return count;
}

long long http_skip_body(http_response *response)
{
    char piece[4096];
    long long skipped = 0;
    ssize_t count;
    while ((count = http_read_body(response, piece, sizeof piece)) > 0)
        skipped += count;
    return count < 0 ? count : skipped;
}

http_response *http_own(http_response *given)
{
    return given;
}

void http_response_close(http_response *response)
{
    if (!response)
        return;
    close(response->socket);
    free(response);
    atomic_fetch_sub(&responses_open, 1);
}

void http_close_held(http_response **held)
{
    http_response_close(*held);
}

int http_responses_open(void)
{
    return atomic_load(&responses_open);
}
