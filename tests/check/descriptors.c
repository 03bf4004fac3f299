/* Descriptors and sockets. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <snag/annotate.h>

/* right: the usual */
ssize_t slurp(const char *path, char *to, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got = read(fd, to, size);
    close(fd);
    return got;
}

/* wrong: the size cannot be had */
long size_of(const char *path)
{
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd == -1)
        return -1;
    if (fstat(fd, &about) != 0)
        return -1; /* want: snag-leak */
    close(fd);
    return about.st_size;
}

/* right: asked again when a signal came */
int open_again(const char *path)
{
    int fd;
    do {
        fd = open(path, O_RDONLY);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* wrong: errno decides, and one of its values forgets */
int write_all(const char *path, const char *text, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0)
        return -1;
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return -1; /* want: snag-leak */
        }
        text += written;
        length -= (size_t)written;
    }
    return close(fd);
}

/* right: every value of errno is thought of */
int write_all_well(const char *path, const char *text, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644), result = 0;
    if (fd < 0)
        return -1;
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            result = -1;
            break;
        }
        text += written;
        length -= (size_t)written;
    }
    if (close(fd) != 0)
        result = -1;
    return result;
}

/* wrong: bind fails */
int listener(unsigned short port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("bind");
        return -1; /* want: snag-leak */
    }
    if (listen(fd, 16) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* right: the listener is the caller's */
int listener_well(unsigned short port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* wrong: each address that does not answer leaves a socket behind */
int dial_badly(const char *host)
{
    struct addrinfo *list, *one;
    int fd = -1;
    if (getaddrinfo(host, "80", NULL, &list) != 0)
        return -1;
    for (one = list; one; one = one->ai_next) {
        fd = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
        if (fd < 0)
            continue;
        if (connect(fd, one->ai_addr, one->ai_addrlen) == 0)
            break;
        fd = -1; /* want: snag-leak */
    }
    freeaddrinfo(list);
    return fd;
}

/* right: the textbook's loop */
int dial(const char *host)
{
    struct addrinfo *list, *one;
    int fd = -1;
    if (getaddrinfo(host, "80", NULL, &list) != 0)
        return -1;
    for (one = list; one; one = one->ai_next) {
        fd = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
        if (fd < 0)
            continue;
        if (connect(fd, one->ai_addr, one->ai_addrlen) == 0)
            break;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    return fd;
}

/* wrong: the addresses are not freed when nothing answers */
int resolves(const char *host)
{
    struct addrinfo hints = { .ai_family = AF_INET }, *list;
    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return 0;
    if (list->ai_addrlen != sizeof(struct sockaddr_in))
        return 0; /* want: snag-leak */
    freeaddrinfo(list);
    return 1;
}

/* wrong: the pipe stays when there is no process */
int spawn_badly(int *out)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    pid_t pid = fork();
    if (pid < 0)
        return -1; /* want: snag-leak */
    if (pid == 0) {
        dup2(ends[1], 1);
        execlp("true", "true", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *out = ends[0];
    return 0;
}

/* right: both ends */
int spawn(int *out)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    pid_t pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    if (pid == 0) {
        dup2(ends[1], 1);
        execlp("true", "true", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *out = ends[0];
    return 0;
}

/* wrong: only one end is closed */
int wake_up_and_forget(void)
{
    int ends[2];
    char byte = 0;
    if (pipe(ends) < 0)
        return -1;
    if (write(ends[1], &byte, 1) != 1)
        byte = 1;
    close(ends[1]);
    return byte; /* want: snag-leak */
}

/* wrong: the descriptor is closed by the stream, and again */
int twice_by_stream(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    int same = fd;
    close(fd);
    close(same); /* want: snag-double-release */
    return 0;
}

/* right: the stream owns the descriptor */
int by_stream(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    FILE *file = fdopen(fd, "r");
    if (!file) {
        close(fd);
        return -1;
    }
    int c = fgetc(file);
    fclose(file);
    return c;
}

/* wrong: no stream, and nobody has the descriptor */
int by_stream_badly(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    FILE *file = fdopen(fd, "r");
    if (!file)
        return -1; /* want: snag-leak */
    int c = fgetc(file);
    fclose(file);
    return c;
}

struct connection {
    int fd;
    struct connection *next;
};

/* wrong: no memory for the connection, the socket stays */
struct connection *accepted(int listener)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return NULL;
    struct connection *connection = malloc(sizeof *connection);
    if (!connection)
        return NULL; /* want: snag-leak */
    connection->fd = fd;
    connection->next = NULL;
    return connection;
}

/* right: it is closed then */
struct connection *accepted_well(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct connection *connection = malloc(sizeof *connection);
    if (!connection) {
        close(fd);
        return NULL;
    }
    connection->fd = fd;
    return connection;
}

void serve(int fd);
void serve_pointer(void *argument);

/* right: another function takes it over */
void accept_loop(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            break;
        serve(fd);
    }
}

/* right: and so it does as a pointer */
int accept_one(int listener)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return -1;
    serve_pointer((void *)(intptr_t)fd);
    return 0;
}

/* wrong: a busy server drops its clients, without closing them */
void accept_some(int listener, int most)
{
    int count = 0;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            break;
        if (count == most)
            continue; /* want: snag-leak */
        count++;
        serve(fd);
    }
}

/* wrong: mapped, and the descriptor kept without need */
void *mapped(const char *path, size_t length)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return NULL;
    void *memory = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED)
        return NULL; /* want: snag-leak */
    close(fd);
    return memory;
}

/* right: mapped, read, unmapped */
int sum(const char *path, size_t length)
{
    int fd = open(path, O_RDONLY), result = 0;
    if (fd < 0)
        return -1;
    unsigned char *memory = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (memory == MAP_FAILED)
        return -1;
    for (size_t i = 0; i < length; i++)
        result += memory[i];
    munmap(memory, length);
    return result;
}

/* wrong: the mapping stays when its head is wrong */
int magic(int fd)
{
    char *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED)
        return -1;
    if (memcmp(memory, "\177ELF", 4) != 0)
        return 0; /* want: snag-leak */
    munmap(memory, 4096);
    return 1;
}

/* wrong: epoll stays when the first descriptor cannot be added */
int watch(int fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0)
        return -1;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
        return -1; /* want: snag-leak */
    return poller;
}

/* wrong: a copy is made for a moment */
int is_same(int fd)
{
    int copy = dup(fd);
    if (copy < 0)
        return -1;
    return copy == fd + 1; /* want: snag-leak */
}

/* right: scoped */
int scoped_descriptor(const char *path)
{
    int fd SNAG_SCOPED(close) = open(path, O_RDONLY);
    char byte;
    if (fd < 0)
        return -1;
    if (read(fd, &byte, 1) != 1)
        return -2;
    return byte;
}

/* right: closed by a function of this file, by its address */
static void close_it(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* right: see above */
int closed_by_address(const char *path)
{
    int fd = open(path, O_RDONLY);
    char byte = 0;
    if (fd < 0)
        return -1;
    if (read(fd, &byte, 1) != 1)
        byte = 0;
    close_it(&fd);
    return byte;
}

/* wrong: a temporary file that cannot be unlinked */
int scratch(void)
{
    char name[] = "/tmp/scratch-XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0)
        return -1;
    if (unlink(name) != 0)
        return -1; /* want: snag-leak */
    return fd;
}

/* right: three at once, released backwards */
int three(const char *a, const char *b, const char *c)
{
    int one, two, last, result = -1;
    one = open(a, O_RDONLY);
    if (one < 0)
        return -1;
    two = open(b, O_RDONLY);
    if (two < 0)
        goto close_one;
    last = open(c, O_RDONLY);
    if (last < 0)
        goto close_two;
    result = 0;
    close(last);
close_two:
    close(two);
close_one:
    close(one);
    return result;
}

/* wrong: three at once, the last label is one too low */
int three_badly(const char *a, const char *b, const char *c)
{
    int one, two, last, result = -1;
    one = open(a, O_RDONLY);
    if (one < 0)
        return -1;
    two = open(b, O_RDONLY);
    if (two < 0)
        goto close_one;
    last = open(c, O_RDONLY);
    if (last < 0)
        goto close_one;
    result = 0;
    close(last);
    close(two);
close_one:
    close(one);
    return result; /* want: snag-leak */
}
