/* close_wait.c: a client that forgets its sockets where an answer is not what it expected.
 *
 * The server, a child process, says 503 to every other request and closes. The client gives up
 * on such an answer before it has read or closed anything: the socket stays in CLOSE_WAIT, with the
 * rest of the answer in it, until the descriptor table is full.
 *
 *     close_wait SECONDS              ends by itself; then: curl localhost:6060/debug/stuck
 *     snag run close_wait SECONDS     the same, and it says who opened them */
#include <snag/snag.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char good[] = "HTTP/1.0 200 OK\r\n\r\nEUR 1.0842\n";
static const char busy[] =
    "HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\n\r\n"
    "<html><body>Too many of you. Come back in five seconds.</body></html>\n";

static void serve(int listener)
{
    for (unsigned count = 0;; count++) {
        char request[256];
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            exit(1);
        const char *answer = count % 2 ? busy : good;
        if (recv(fd, request, sizeof request, 0) > 0)
            send(fd, answer, strlen(answer), MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        recv(fd, request, sizeof request, MSG_DONTWAIT);
        close(fd);
    }
}

/* Starts the server on a free port of the loopback; returns its address. */
static struct sockaddr_in start_server(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        exit(1);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener);
    }
    close(listener);
    return address;
}

/* The rate of the day, or a negative number. */
static double fetch_rate(const struct sockaddr_in *server)
{
    char answer[32] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)server, sizeof *server) != 0 ||
        send(fd, "GET /rate HTTP/1.0\r\n\r\n", 22, MSG_NOSIGNAL) != 22 ||
        recv(fd, answer, sizeof answer - 1, 0) <= 0) {
        close(fd);
        return -1;
    }
    const char *body = strstr(answer, "\r\n\r\nEUR ");
    if (!body)
        return -1; /* the mistake: there is a socket to close */
    close(fd);
    return strtod(body + 8, NULL);
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 60;
    unsigned failed = 0;
    struct sockaddr_in server = start_server();
    snag_start(NULL);
    for (int i = 1; i <= seconds * 20; i++) {
        failed += fetch_rate(&server) < 0;
        usleep(50000);
        if (i % 20 == 0)
            printf("%d requests, %u failed\n", i, failed);
        fflush(stdout);
    }
    return 0;
}
