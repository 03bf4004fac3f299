/* local_server.c: the service that the two clients talk to, on the loopback.
 *
 *   /ok        200, a short body
 *   /missing   404, the beginning of a body, and then nothing: the connection
 *              stays open until the client closes it
 *   /avatar    200, 4 KiB that begin like a PNG, then the server closes
 *   /slow      200, a line every 100 ms for a second
 *
 * local_server [PORT [SECONDS]] listens on 127.0.0.1:PORT (0, the default: any
 * free one, which it prints) and ends by itself. A thread a connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_LONGEST 4096

static int send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return -errno;
        bytes += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

static int send_head(int fd, const char *status, long length)
{
    char head[256];
    char length_line[48] = "";
    if (length >= 0)
        snprintf(length_line, sizeof length_line, "Content-Length: %ld\r\n", length);
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n%sConnection: close\r\n\r\n",
                        status, length_line);
    return send_all(fd, head, (size_t)size);
}

static void wait_until_client_closes(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static void answer_ok(int fd)
{
    static const char body[] = "EUR 1.0842\n";
    if (send_head(fd, "200 OK", sizeof body - 1) == 0)
        send_all(fd, body, sizeof body - 1);
}

static void answer_missing(int fd)
{
    static const char begun[] = "<h1>Not found</h1>\n";
    if (send_head(fd, "404 Not Found", -1) == 0 && send_all(fd, begun, sizeof begun - 1) == 0)
        wait_until_client_closes(fd);
}

static void answer_avatar(int fd)
{
    static const char picture[4096] = "\x89PNG\r\n\x1a\n";
    if (send_head(fd, "200 OK", sizeof picture) == 0)
        send_all(fd, picture, sizeof picture);
}

static void answer_slow(int fd)
{
    static const char line[] = "news\n";
    int status = send_head(fd, "200 OK", -1);
    for (int i = 0; i < 10 && status == 0; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
        status = send_all(fd, line, sizeof line - 1);
    }
}

static const struct route {
    const char *request; /* how the request line begins */
    void (*answer)(int fd);
} routes[] = {
    { "GET /ok ", answer_ok },
    { "GET /missing ", answer_missing },
    { "GET /avatar ", answer_avatar },
    { "GET /slow ", answer_slow },
};

/* Reads until the empty line that ends a GET; false when the client is gone. */
static int read_request(int fd, char *request)
{
    size_t length = 0;
    for (;;) {
        ssize_t count = recv(fd, request + length, REQUEST_LONGEST - 1 - length, 0);
        if (count <= 0)
            return 0;
        length += (size_t)count;
        request[length] = 0;
        if (strstr(request, "\r\n\r\n"))
            return 1;
    }
}

static void *serve_connection(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char request[REQUEST_LONGEST];
    if (read_request(fd, request)) {
        void (*answer)(int) = NULL;
        for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
            if (strncmp(request, routes[i].request, strlen(routes[i].request)) == 0)
                answer = routes[i].answer;
        if (answer)
            answer(fd);
        else
            send_head(fd, "400 Bad Request", 0);
    }
    close(fd);
    return NULL;
}

static int listen_on(unsigned short port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        fprintf(stderr, "local_server: 127.0.0.1:%u: %s\n", port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    printf("local_server listens on 127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    int listener = listen_on((unsigned short)(argc > 1 ? atoi(argv[1]) : 0));
    if (listener < 0)
        return 1;
    alarm(argc > 2 ? (unsigned)atoi(argv[2]) : 300);
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, (size_t)256 << 10);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
            continue;
        }
        pthread_t thread;
        if (pthread_create(&thread, &detached, serve_connection, (void *)(intptr_t)fd) != 0)
            close(fd);
    }
}
