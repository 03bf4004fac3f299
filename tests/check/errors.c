/* Error paths of services and tools: helpers, contexts, labels, loops. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>
typedef struct {
    int fd;
    FILE *log;
    char *buf;
} ctx_t;
extern int process_line(const char *l);
extern void log_error(const char *fmt, ...);
/* right: static helper opens, caller closes */
static FILE *open_conf(const char *p)
{
    FILE *f = fopen(p, "r");
    if (!f)
        log_error("%s", p);
    return f;
}
int right_1(const char *p)
{
    FILE *f = open_conf(p);
    if (!f)
        return -1;
    char l[100];
    while (fgets(l, sizeof l, f))
        if (process_line(l) < 0)
            break;
    fclose(f);
    return 0;
}
/* wrong: helper opens, caller forgets */
int wrong_1(const char *p)
{
    FILE *f = open_conf(p);
    char l[100];
    if (!f)
        return -1;
    if (!fgets(l, sizeof l, f)) {
        log_error("empty");
        return -1; /* want: snag-leak */
    }
    fclose(f);
    return 0;
}
/* right: ctx init with cleanup function */
void ctx_free(ctx_t *c)
{
    if (!c)
        return;
    if (c->fd >= 0)
        close(c->fd);
    if (c->log)
        fclose(c->log);
    free(c->buf);
    free(c);
}
ctx_t *right_2(const char *p)
{
    ctx_t *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->fd = -1;
    c->fd = open(p, O_RDWR);
    if (c->fd < 0)
        goto err;
    c->log = fopen("/tmp/log", "a");
    if (!c->log)
        goto err;
    c->buf = malloc(4096);
    if (!c->buf)
        goto err;
    return c;
err:
    ctx_free(c);
    return NULL;
}
/* wrong: ctx init frees only the struct */
ctx_t *wrong_2(const char *p)
{
    ctx_t *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->fd = open(p, O_RDWR);
    if (c->fd < 0) {
        free(c);
        return NULL;
    }
    c->buf = malloc(4096);
    if (!c->buf) {
        free(c);
        return NULL; /* want: snag-leak */
    }
    return c;
}
/* right: global */
static int g_fd = -1;
int right_3(void)
{
    if (g_fd >= 0)
        return 0;
    g_fd = open("/dev/urandom", O_RDONLY);
    return g_fd < 0 ? -1 : 0;
}
/* right: fd array pool */
int right_4(int *fds, int n)
{
    int i;
    for (i = 0; i < n; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (fds[i] < 0)
            goto undo;
    }
    return 0;
undo:
    while (--i >= 0)
        close(fds[i]);
    return -1;
}
/* wrong: unix socket connect, address too long */
int wrong_3(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    if (s == -1)
        return -1;
    if (strlen(path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1; /* want: snag-leak */
    }
    strcpy(a.sun_path, path);
    if (connect(s, (struct sockaddr *)&a, sizeof a) == -1) {
        close(s);
        return -1;
    }
    return s;
}
/* wrong: setsockopt fails in ternary chain */
int wrong_4(int port)
{
    int on = 1, s;
    (void)port;
    if ((s = socket(AF_INET, SOCK_STREAM, 0)) < 0)
        return -errno;
    if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        fcntl(s, F_SETFL, O_NONBLOCK) < 0)
        return -errno; /* want: snag-leak */
    return s;
}
/* right: timerfd stored via out param */
int right_5(int *out)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    if (fd < 0)
        return -errno;
    struct itimerspec t = { { 1, 0 }, { 1, 0 } };
    if (timerfd_settime(fd, 0, &t, NULL) < 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    *out = fd;
    return 0;
}
/* wrong: out param only sometimes */
int wrong_5(int *out, bool want)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    if (fd < 0)
        return -errno;
    if (want)
        *out = fd;
    return 0; /* want: snag-leak */
}
/* right: close(-1) style cleanup */
int right_6(const char *a, const char *b)
{
    int x = -1, y = -1, rc = -1;
    x = open(a, O_RDONLY);
    if (x == -1)
        goto out;
    y = open(b, O_WRONLY);
    if (y == -1)
        goto out;
    rc = 0;
out:
    if (y != -1)
        close(y);
    if (x != -1)
        close(x);
    return rc;
}
/* wrong: cleanup of wrong variable */
int wrong_6(const char *a, const char *b)
{
    int x = -1, y = -1, rc = -1;
    x = open(a, O_RDONLY);
    if (x == -1)
        goto out;
    y = open(b, O_WRONLY);
    if (y == -1)
        goto out;
    rc = 0;
out:
    if (x != -1)
        close(x);
    return rc; /* want: snag-leak */
}
/* wrong: loop reopening */
int wrong_7(char **names, int n)
{
    FILE *f = NULL;
    for (int i = 0; i < n; i++) {
        f = fopen(names[i], "r");
        if (!f)
            return -1; /* want: snag-leak */
        process_line(names[i]);
    }
    if (f)
        fclose(f);
    return 0;
}
/* right: loop with close at end and continue handled */
int right_7(char **names, int n)
{
    int bad = 0;
    for (int i = 0; i < n; i++) {
        FILE *f = fopen(names[i], "r");
        if (!f) {
            bad++;
            continue;
        }
        char l[10];
        if (!fgets(l, sizeof l, f))
            bad++;
        fclose(f);
    }
    return bad;
}
static void *thr(void *a)
{
    int fd = (int)(long)a;
    char c;
    while (read(fd, &c, 1) == 1)
        ;
    close(fd);
    return NULL;
}
/* right: fd to thread */
int right_8(int l)
{
    int fd = accept(l, NULL, NULL);
    pthread_t t;
    if (fd < 0)
        return -1;
    if (pthread_create(&t, NULL, thr, (void *)(long)fd) != 0) {
        close(fd);
        return -1;
    }
    pthread_detach(t);
    return 0;
}
/* wrong: thread creation fails */
int wrong_8(int l)
{
    int fd = accept(l, NULL, NULL);
    pthread_t t;
    if (fd < 0)
        return -1;
    if (pthread_create(&t, NULL, thr, (void *)(long)fd) != 0)
        return -1; /* want: snag-leak */
    pthread_detach(t);
    return 0;
}
/* wrong: thread never joined */
int wrong_9(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, thr, NULL))
        return -1;
    sleep(1);
    return 0; /* want: snag-leak */
}
/* wrong: dlsym error twice closed */
int wrong_10(const char *p)
{
    void *h = dlopen(p, RTLD_LAZY);
    if (!h) {
        fprintf(stderr, "%s\n", dlerror());
        return -1;
    }
    int (*fn)(void) = (int (*)(void))dlsym(h, "run");
    if (!fn) {
        dlclose(h);
        goto fail;
    }
    int r = fn();
    dlclose(h);
    return r;
fail:
    dlclose(h); /* want: snag-double-release */
    return -1;
}
/* right: getifaddrs */
int right_9(void)
{
    struct ifaddrs *l, *i;
    int n = 0;
    if (getifaddrs(&l) == -1)
        return -1;
    for (i = l; i; i = i->ifa_next)
        n++;
    freeifaddrs(l);
    return n;
}
/* wrong: getifaddrs found early */
int wrong_11(const char *name)
{
    struct ifaddrs *l, *i;
    if (getifaddrs(&l) == -1)
        return -1;
    for (i = l; i != NULL; i = i->ifa_next)
        if (i->ifa_name && strcmp(i->ifa_name, name) == 0)
            return 1; /* want: snag-leak */
    freeifaddrs(l);
    return 0;
}
/* right: mmap w/ struct */
struct map {
    void *p;
    size_t n;
};
int right_10(struct map *m, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -1;
    m->p = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (m->p == MAP_FAILED) {
        m->p = NULL;
        return -1;
    }
    m->n = st.st_size;
    return 0;
}
/* wrong: popen with exit code path */
int wrong_12(const char *cmd, char *out, size_t n)
{
    FILE *p = popen(cmd, "r");
    if (p == NULL)
        return -1;
    size_t got = fread(out, 1, n - 1, p);
    if (got == 0 && ferror(p))
        return -2; /* want: snag-leak */
    out[got] = 0;
    return pclose(p) == 0 ? 0 : -3;
}
/* wrong: return value of dup ignored */
void wrong_13(int fd)
{
    dup(fd); /* want: snag-lost-result */
}
/* right: dup2 to std */
int right_11(const char *p)
{
    int fd = open(p, O_RDWR);
    if (fd < 0)
        return -1;
    if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0) {
        close(fd);
        return -1;
    }
    if (fd > 2)
        close(fd);
    return 0;
}
/* right: exits */
int right_12(const char *p)
{
    FILE *f = fopen(p, "r");
    if (!f)
        exit(1);
    if (fgetc(f) == EOF) {
        fprintf(stderr, "x\n");
        exit(2);
    }
    fclose(f);
    return 0;
}
/* right: fd in poll array */
int right_13(int l)
{
    struct pollfd p[2];
    p[0].fd = l;
    p[1].fd = timerfd_create(CLOCK_MONOTONIC, 0);
    if (p[1].fd < 0)
        return -1;
    int r = poll(p, 2, 100);
    close(p[1].fd);
    return r;
}
/* wrong: switch on errno */
int wrong_14(const char *p)
{
    int fd = open(p, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        switch (errno) {
        case ENOENT: return 0;
        default: return -1;
        }
    }
    struct stat st;
    if (fstat(fd, &st) < 0) {
        if (errno == EACCES) {
            close(fd);
            return -2;
        }
        return -3; /* want: snag-leak */
    }
    close(fd);
    return 1;
}
/* right: fdopendir takes */
int right_14(const char *p)
{
    int fd = open(p, O_RDONLY | O_DIRECTORY), n = 0;
    if (fd < 0)
        return -1;
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return -1;
    }
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}
/* wrong: fdopendir then close of both */
int wrong_15(const char *p)
{
    DIR *d = opendir(p);
    if (!d)
        return -1;
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        if (e->d_type == DT_UNKNOWN) {
            closedir(d);
            break;
        }
    }
    closedir(d); /* want: snag-double-release */
    return 0;
}
/* wrong: while accept loop overwritten */
int wrong_16(int l)
{
    int c = -1;
    for (int i = 0; i < 4; i++) {
        c = accept(l, NULL, NULL); /* want: snag-leak */
        if (c < 0)
            return -1;
        send(c, "x", 1, 0);
    }
    close(c);
    return 0;
}
/* right: swap */
void right_15(FILE **slot, const char *p)
{
    FILE *n = fopen(p, "a");
    if (!n)
        return;
    FILE *old = *slot;
    *slot = n;
    if (old)
        fclose(old);
}
/* right: list insertion */
struct node {
    FILE *f;
    struct node *next;
};
extern struct node *head;
int right_16(const char *p)
{
    struct node *n = malloc(sizeof *n);
    if (!n)
        return -1;
    n->f = fopen(p, "r");
    if (!n->f) {
        free(n);
        return -1;
    }
    n->next = head;
    head = n;
    return 0;
}
/* wrong: node freed, not its file */
int wrong_17(const char *p, int lim)
{
    struct node *n = malloc(sizeof *n);
    if (!n)
        return -1;
    n->f = fopen(p, "r");
    if (!n->f) {
        free(n);
        return -1;
    }
    if (lim > 10) {
        free(n);
        return -2; /* want: snag-leak */
    }
    n->next = head;
    head = n;
    return 0;
}
/* right: macro cleanup */
#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if ((x) < 0) {                                                                             \
            rc = -errno;                                                                           \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)
int right_17(int a)
{
    int rc = 0, fd = -1, s[2] = { -1, -1 };
    CHECK(fd = open("/x", O_RDONLY));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    CHECK(write(s[0], &a, sizeof a));
done:
    if (fd >= 0)
        close(fd);
    if (s[0] >= 0)
        close(s[0]);
    if (s[1] >= 0)
        close(s[1]);
    return rc;
}
/* wrong: one half of socketpair */
int wrong_18(void)
{
    int s[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
        return -1;
    pid_t p = fork();
    if (p == 0) {
        close(s[0]);
        _exit(0);
    }
    if (p < 0) {
        close(s[0]);
        return -1; /* want: snag-leak */
    }
    close(s[1]);
    return s[0];
}
