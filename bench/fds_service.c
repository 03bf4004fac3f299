/* fds_service.c: a service with many descriptors open, of one sort or of all.
 *
 *   fds_service SORT COUNT
 * SORT is files (each another one, in a folder of its own below $TMPDIR), tcp (pairs of
 * connections to itself), unix (socketpairs) or mixed. Prints "ADDRESS PID" when all are open,
 * and ends with its standard input. */
#include <snag/snag.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static char folder[512];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void open_files(long count)
{
    char path[600];
    snprintf(folder, sizeof folder, "%s/snag-bench-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(folder))
        die(folder);
    for (long i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/file-%ld", folder, i);
        if (open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0)
            die(path);
    }
}

static void remove_files(long count)
{
    char path[600];
    for (long i = 0; folder[0] && i < count; i++) {
        snprintf(path, sizeof path, "%s/file-%ld", folder, i);
        unlink(path);
    }
    if (folder[0])
        rmdir(folder);
}

static void open_connections(long count)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (void *)&address, length) != 0 || listen(listener, 64) != 0)
        die("listen");
    getsockname(listener, (void *)&address, &length);
    for (long i = 0; i < count / 2; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (void *)&address, length) != 0 || accept(listener, NULL, NULL) < 0)
            die("connect");
    }
}

static void open_pairs(long count)
{
    int ends[2];
    for (long i = 0; i < count / 2; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
            die("socketpair");
}

int main(int argc, char **argv)
{
    long count = argc == 3 ? atol(argv[2]) : 0;
    const char *sort = argc == 3 ? argv[1] : "";
    struct rlimit limit;
    char line[64];
    if (count <= 0) {
        fputs("usage: fds_service files|tcp|unix|mixed COUNT\n", stderr);
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    bool is_mixed = strcmp(sort, "mixed") == 0;
    long share = is_mixed ? count / 3 : count;
    if (is_mixed || strcmp(sort, "files") == 0)
        open_files(share);
    if (is_mixed || strcmp(sort, "tcp") == 0)
        open_connections(share);
    if (is_mixed || strcmp(sort, "unix") == 0)
        open_pairs(share);
    if (snag_start(NULL) != 0)
        return 1;
    printf("%s %d\n", snag_address(), (int)getpid());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        continue;
    remove_files(share);
    return 0;
}
