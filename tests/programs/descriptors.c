/* descriptors.c: a service that leaks, for those who read what it has open.
 *
 * Forty connections whose peer has closed, ten unread bytes in each; a file that has been
 * deleted; a pipe with five bytes in it; a socket under a name that draws on terminals. Prints
 * what it holds as "WORD=NUMBER", then its address. At each SIGUSR1 it opens seven timers. Ends by
 * itself after five minutes. */
#include <snag/snag.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#define LEAKED 40

static int listener;

static void open_timers(int signal_number)
{
    (void)signal_number;
    for (int i = 0; i < 7; i++)
        (void)!timerfd_create(CLOCK_MONOTONIC, 0);
}

static void leak_connection(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const void *)address, sizeof *address) != 0)
        exit(1);
    int server = accept(listener, NULL, NULL);
    if (write(server, "0123456789", 10) != 10)
        exit(1);
    close(server);
    struct pollfd closed = { fd, POLLRDHUP, 0 };
    poll(&closed, 1, 10000);
}

static void leak_connections(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&address, length) != 0 || listen(listener, 64) != 0)
        exit(1);
    getsockname(listener, (void *)&address, &length);
    for (int i = 0; i < LEAKED; i++)
        leak_connection(&address);
    printf("port=%d\n", ntohs(address.sin_port));
}

static void open_others(void)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    char path[] = "/tmp/snag-descriptors-XXXXXX";
    int ends[2];
    int file = mkstemp(path);
    unlink(path);
    printf("file=%d\n", file);
    if (pipe(ends) != 0 || write(ends[1], "hello", 5) != 5)
        exit(1);
    printf("pipe=%d\n", ends[0]);
    int size = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "\033[31m%d", (int)getpid());
    int odd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (bind(odd, (void *)&name, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)size)) != 0)
        exit(1);
    printf("odd=%d\n", odd);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = { .sa_handler = open_timers };
    sigaction(SIGUSR1, &action, NULL);
    leak_connections();
    open_others();
    if (snag_start(NULL) != 0)
        return 1;
    printf("descriptors listens on %s\n", snag_address());
    for (int i = 0; i < 300; i++)
        sleep(1);
    return 0;
}
