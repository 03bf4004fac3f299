/* http_targets.c: many small HTTP servers in one process, for a client that is not to believe them.
 *
 *   http_targets DIRECTORY WAY=COUNT...
 *
 * opens COUNT ports on 127.0.0.1 for each WAY, prints a line "WAY ADDRESS" for each and then
 * "http_targets listens on 127.0.0.1:0". What a port answers, by its WAY:
 *
 *   good       the file DIRECTORY/NAME.pb.gz for /debug/pprof/NAME, 404 where there is none
 *   close      the same without Content-Length, until the connection ends
 *   chunked    the same in chunks
 *   FILE.bin   always that file, as a profile
 *   refuse     nothing: the port is bound, and nobody listens
 *   hang       nothing: the connection is there, and nobody takes it
 *   silent     reads the request and does not answer
 *   drip       a header that comes byte by byte and never ends
 *   truncated  half of the bytes that it promised
 *   endless    a body without end
 *   reset      resets the connection when it was asked
 *   html, redirect, ssh
 *
 * Every connection has a thread of its own. Ends by itself after five minutes. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 1024

struct port {
    const char *way;
    int fd;
};

struct guest {
    const char *way;
    int fd;
};

static const char *directory;
static struct port ports[MOST];
static size_t count;

static bool send_all(int fd, const void *bytes, size_t length)
{
    const char *from = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, from, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        from += sent;
        length -= (size_t)sent;
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static bool send_text(int fd, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return send_all(fd, text, (size_t)length);
}

static bool read_request(int fd, char *request, size_t size)
{
    size_t length = 0;
    request[0] = 0;
    while (!strstr(request, "\r\n\r\n")) {
        ssize_t got = length + 1 < size ? recv(fd, request + length, size - 1 - length, 0) : 0;
        if (got <= 0)
            return false;
        length += (size_t)got;
        request[length] = 0;
    }
    return true;
}

/* NULL when there is no such file. */
static char *read_file(const char *name, size_t *length)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*length + 1);
    *length = fread(bytes, 1, *length, file);
    fclose(file);
    return bytes;
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"

static void send_chunks(int fd, const char *bytes, size_t length)
{
    send_text(fd, HEAD "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < length;) {
        size_t size = length - at < 100 ? length - at : 100;
        send_text(fd, "%zx;note=x\r\n", size);
        send_all(fd, bytes + at, size);
        send_text(fd, "\r\n");
        at += size;
    }
    send_text(fd, "0\r\nTrailer: x\r\n\r\n");
}

static void send_profile(const struct guest *guest, const char *bytes, size_t length)
{
    size_t sent = strcmp(guest->way, "truncated") == 0 ? length / 2 : length;
    if (strcmp(guest->way, "chunked") == 0) {
        send_chunks(guest->fd, bytes, length);
    } else if (strcmp(guest->way, "close") == 0) {
        send_text(guest->fd, HEAD "\r\n");
        send_all(guest->fd, bytes, length);
    } else {
        send_text(guest->fd, HEAD "Content-Length: %zu\r\n\r\n", length);
        send_all(guest->fd, bytes, sent);
    }
}

static void answer_file(const struct guest *guest, const char *request)
{
    char name[128] = "";
    size_t length;
    bool is_fixed = strstr(guest->way, ".bin") != NULL;
    if (!is_fixed && sscanf(request, "GET /debug/pprof/%99[a-z.]", name) == 1)
        strcat(name, ".pb.gz");
    char *bytes = read_file(is_fixed ? guest->way : name, &length);
    if (bytes)
        send_profile(guest, bytes, length);
    else
        send_text(guest->fd, "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
                             "Content-Length: 19\r\n\r\nno such profile\nhm\n");
    free(bytes);
}

static void never_end(int fd)
{
    static const char zeros[65536];
    send_text(fd, HEAD "\r\n");
    while (send_all(fd, zeros, sizeof zeros))
        continue;
}

static void drip(int fd)
{
    send_text(fd, "HTTP/1.1 200 OK\r\nX-Slow: ");
    while (send_all(fd, "x", 1))
        usleep(100000);
}

static void *serve(void *data)
{
    struct guest *guest = data;
    char request[8192];
    const char *way = guest->way;
    int fd = guest->fd;
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    if (!read_request(fd, request, sizeof request))
        ;
    else if (strcmp(way, "silent") == 0)
        recv(fd, request, 1, 0);
    else if (strcmp(way, "drip") == 0)
        drip(fd);
    else if (strcmp(way, "endless") == 0)
        never_end(fd);
    else if (strcmp(way, "reset") == 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    else if (strcmp(way, "html") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
                      "Content-Length: 6\r\n\r\n<html>");
    else if (strcmp(way, "redirect") == 0)
        send_text(fd, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                      "Content-Length: 0\r\n\r\n");
    else if (strcmp(way, "ssh") == 0)
        send_text(fd, "SSH-2.0-OpenSSH_9.2\r\n");
    else
        answer_file(guest, request);
    close(fd);
    free(guest);
    return NULL;
}

static void open_port(const char *way)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = strcmp(way, "refuse") != 0;
    if (fd < 0 || count == MOST || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        (listens && listen(fd, 64) != 0)) {
        perror("http_targets");
        exit(1);
    }
    printf("%s 127.0.0.1:%u\n", way, ntohs(address.sin_port));
    ports[count++] = (struct port){ way, fd };
}

static void take(const struct port *port)
{
    struct guest *guest = malloc(sizeof *guest);
    pthread_t thread;
    *guest = (struct guest){ port->way, accept(port->fd, NULL, NULL) };
    if (guest->fd >= 0 && pthread_create(&thread, NULL, serve, guest) == 0)
        pthread_detach(thread);
    else
        free(guest);
}

int main(int argc, char **argv)
{
    static struct pollfd polled[MOST];
    struct rlimit limit;
    alarm(300);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    directory = argc > 1 ? argv[1] : ".";
    for (int i = 2; i < argc; i++) {
        char *number = strchr(argv[i], '=');
        if (!number)
            return 2;
        *number = 0;
        for (int left = atoi(number + 1); left > 0; left--)
            open_port(argv[i]);
    }
    printf("http_targets listens on 127.0.0.1:0\n");
    fflush(stdout);
    for (size_t i = 0; i < count; i++) {
        bool is_asked = strcmp(ports[i].way, "hang") != 0 && strcmp(ports[i].way, "refuse") != 0;
        polled[i] = (struct pollfd){ .fd = is_asked ? ports[i].fd : -1, .events = POLLIN };
    }
    while (poll(polled, count, -1) >= 0)
        for (size_t i = 0; i < count; i++)
            if (polled[i].revents)
                take(&ports[i]);
    return 1;
}
