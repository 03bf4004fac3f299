/* sockets.c: in a network namespace of its own: a listener on port 5555, a connection to it with 3
 * bytes unread whose client has shut down its end, and a unix listener on the path given. */
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int bring_up_loopback(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(5555) };
    struct sockaddr_un place = { .sun_family = AF_UNIX };
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    int local = socket(AF_UNIX, SOCK_STREAM, 0);
    if (argc < 2 || strlen(argv[1]) >= sizeof place.sun_path || bring_up_loopback())
        return 2;
    strcpy(place.sun_path, argv[1]);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 5) ||
        connect(client, (void *)&address, sizeof address) || accept(listener, NULL, NULL) < 0 ||
        write(client, "abc", 3) != 3 || shutdown(client, SHUT_WR) ||
        bind(local, (void *)&place, sizeof place) || listen(local, 5))
        return 3;
    return pause();
}
