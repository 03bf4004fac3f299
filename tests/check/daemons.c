/* Connections, pipes, processes, loops of a daemon. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#define LOG(...) fprintf(stderr, __VA_ARGS__)
struct conn {
    int fd;
    FILE *in, *out;
    struct conn *next;
};
static struct conn *conns;
static void warnx_(const char *f, ...)
{
    va_list a;
    va_start(a, f);
    vfprintf(stderr, f, a);
    va_end(a);
}
static int set_nonblock(int fd)
{
    int fl = fcntl(fd, F_GETFL);
    return fl < 0 ? -1 : fcntl(fd, F_SETFL, fl | O_NONBLOCK);
}
/* wrong: nonblock fails */
int wrong_1(const char *ip, int port)
{
    struct sockaddr_in sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (set_nonblock(fd) < 0) {
        warnx_("nonblock\n");
        return -1; /* want: snag-leak */
    }
    memset(&sa, 0, sizeof(sa));
    sa.sin_family = AF_INET;
    sa.sin_port = htons((unsigned short)port);
    if (inet_pton(AF_INET, ip, &sa.sin_addr) != 1) {
        close(fd);
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}
/* right: nonblock fails, closed */
int right_1(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (set_nonblock(fd) < 0)
        goto bad;
    if (listen(fd, 1) < 0)
        goto bad;
    return fd;
bad:
    close(fd);
    return -1;
}
/* right: connection to a list */
int right_2(int l)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return -1;
    c->fd = accept(l, NULL, NULL);
    if (c->fd < 0) {
        free(c);
        return -1;
    }
    c->next = conns;
    conns = c;
    return 0;
}
/* right: two streams of one socket */
struct conn *right_3(int fd)
{
    struct conn *c = calloc(1, sizeof *c);
    int copy;
    if (!c)
        return NULL;
    c->in = fdopen(fd, "r");
    if (!c->in) {
        free(c);
        return NULL;
    }
    copy = dup(fd);
    if (copy < 0) {
        fclose(c->in);
        free(c);
        return NULL;
    }
    c->out = fdopen(copy, "w");
    if (!c->out) {
        close(copy);
        fclose(c->in);
        free(c);
        return NULL;
    }
    return c;
}
/* wrong: the copy stays when there is no stream */
struct conn *wrong_2(int fd)
{
    struct conn *c = calloc(1, sizeof *c);
    int copy;
    if (!c)
        return NULL;
    copy = dup(fd);
    if (copy < 0) {
        free(c);
        return NULL;
    }
    c->out = fdopen(copy, "w");
    if (!c->out) {
        free(c);
        return NULL; /* want: snag-leak */
    }
    return c;
}
/* right: signal fd, poll-less loop */
int right_4(void)
{
    sigset_t m;
    struct signalfd_siginfo si;
    sigemptyset(&m);
    sigaddset(&m, SIGCHLD);
    int fd = signalfd(-1, &m, SFD_CLOEXEC);
    if (fd == -1)
        return -1;
    while (read(fd, &si, sizeof si) == (ssize_t)sizeof si)
        if (si.ssi_signo == SIGTERM)
            break;
    close(fd);
    return 0;
}
/* wrong: inotify watch cannot be added */
int wrong_3(const char *p)
{
    int fd = inotify_init1(IN_CLOEXEC);
    if (fd == -1) {
        perror("inotify");
        return -1;
    }
    int wd = inotify_add_watch(fd, p, IN_MODIFY);
    if (wd == -1) {
        perror(p);
        return -1; /* want: snag-leak */
    }
    char b[4096];
    ssize_t n = read(fd, b, sizeof b);
    close(fd);
    return n > 0;
}
/* wrong: copy file, write error */
int wrong_4(const char *s, const char *d)
{
    char buf[8192];
    ssize_t n;
    int in, out, ret = -1;
    if ((in = open(s, O_RDONLY)) < 0)
        return -1;
    if ((out = open(d, O_WRONLY | O_CREAT | O_TRUNC, 0600)) < 0) {
        close(in);
        return -1;
    }
    while ((n = read(in, buf, sizeof(buf))) > 0) {
        if (write(out, buf, (size_t)n) != n) {
            LOG("write %s\n", d);
            goto end;
        }
    }
    ret = 0;
end:
    close(in);
    return ret; /* want: snag-leak */
}
/* right: copy file */
int right_5(const char *s, const char *d)
{
    char buf[8192];
    ssize_t n;
    int in = -1, out = -1, ret = -1;
    if ((in = open(s, O_RDONLY)) < 0 || (out = open(d, O_WRONLY | O_CREAT | O_TRUNC, 0600)) < 0)
        goto end;
    while ((n = read(in, buf, sizeof(buf))) > 0)
        if (write(out, buf, (size_t)n) != n)
            goto end;
    ret = n < 0 ? -1 : 0;
end:
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return ret;
}
/* wrong: || opens */
int wrong_5(const char *s, const char *d)
{
    int in, out;
    if ((in = open(s, O_RDONLY)) < 0 || (out = open(d, O_RDONLY)) < 0)
        return -1; /* want: snag-leak */
    close(in);
    close(out);
    return 0;
}
/* right: process with pipes */
int right_6(char *const argv[], char *buf, size_t size)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) == -1)
        return -1;
    pid_t pid = fork();
    switch (pid) {
    case -1:
        close(p[0]);
        close(p[1]);
        return -1;
    case 0:
        dup2(p[1], STDOUT_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    default: break;
    }
    close(p[1]);
    ssize_t n = read(p[0], buf, size);
    close(p[0]);
    waitpid(pid, NULL, 0);
    return (int)n;
}
/* wrong: second pipe fails */
int wrong_6(int a[2], int b[2])
{
    int x[2], y[2];
    if (pipe(x) < 0)
        return -1;
    if (pipe(y) < 0)
        return -1; /* want: snag-leak */
    memcpy(a, x, sizeof x);
    memcpy(b, y, sizeof y);
    return 0;
}
/* right: pipes into the caller's arrays */
int right_7(int a[2], int b[2])
{
    if (pipe(a) < 0)
        return -1;
    if (pipe(b) < 0) {
        close(a[0]);
        close(a[1]);
        return -1;
    }
    return 0;
}
/* right: memcpy of handles out */
int right_8(int a[2])
{
    int x[2];
    if (pipe(x) < 0)
        return -1;
    memcpy(a, x, sizeof x);
    return 0;
}
/* right: struct by value returned */
struct pair {
    FILE *f;
    int n;
};
struct pair right_9(const char *p)
{
    struct pair r = { NULL, 0 };
    r.f = fopen(p, "r");
    r.n = r.f != NULL;
    return r;
}
/* right: compound literal stored */
void right_10(struct conn *c, const char *p)
{
    *c = (struct conn){ .fd = open(p, O_RDONLY) };
}
/* right: static cache */
FILE *right_11(void)
{
    static FILE *log;
    if (!log)
        log = fopen("/tmp/l", "a");
    return log;
}
/* right: never returns */
void right_12(int l)
{
    for (;;) {
        int fd = accept(l, NULL, NULL);
        if (fd < 0)
            continue;
        if (fork() == 0) {
            close(l);
            dup2(fd, 0);
            execl("/bin/cat", "cat", (char *)NULL);
            _exit(1);
        }
        close(fd);
    }
}
/* wrong: server loop forgets on error */
void wrong_7(int l)
{
    for (;;) {
        char c;
        int fd = accept(l, NULL, NULL);
        if (fd < 0)
            continue;
        if (read(fd, &c, 1) != 1) {
            warnx_("short\n");
            continue; /* want: snag-leak */
        }
        close(fd);
    }
}
/* wrong: freopen like replace without close */
int wrong_8(FILE **slot, const char *p)
{
    FILE *f = fopen(p, "r");
    char line[10];
    if (!f)
        return -1;
    if (fgets(line, sizeof line, f) == NULL || line[0] != '#') {
        errno = EINVAL;
        return -1; /* want: snag-leak */
    }
    *slot = f;
    return 0;
}
/* right: variadic user */
int right_13(const char *p)
{
    int fd = open(p, O_RDONLY);
    if (fd < 0)
        return -1;
    warnx_("opened %d\n", fd);
    close(fd);
    return 0;
}
/* wrong: variadic user forgets */
int wrong_9(const char *p)
{
    FILE *f = fopen(p, "r");
    if (!f)
        return -1;
    warnx_("opened %s\n", p);
    return 0; /* want: snag-leak */
}
/* right: recursion with dir */
int right_14(int dfd)
{
    DIR *d = fdopendir(dfd);
    if (!d) {
        close(dfd);
        return -1;
    }
    struct dirent *e;
    int n = 0;
    while ((e = readdir(d)) != NULL) {
        int c;
        if (e->d_name[0] == '.')
            continue;
        c = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY);
        if (c < 0)
            continue;
        n += right_14(c);
    }
    closedir(d);
    return n;
}
