/* Responses, event loops, compression, threads: what a service holds. */
#include <dirent.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <snag/annotate.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
typedef struct response response;
extern void resp_close(response *r);
extern response *http_get(const char *url) SNAG_RELEASED_BY(resp_close, 1);
extern int resp_status(response *r);
extern const char *resp_body(const response *r);
extern int resp_read(response *r, char *b, int n);
struct queue;
extern void queue_push(struct queue *q, response *r);
SNAG_SCOPE(resp_close, response *, NULL)
/* wrong: closed in the if body only */
int wrong_1(void)
{
    response *resp = http_get("http://x");
    if (resp != NULL) {
        if (resp_body(resp) != NULL) {
            resp_close(resp);
        }
    }
    return 0; /* want: snag-leak */
}
/* right: nested ifs */
int right_1(void)
{
    response *resp = http_get("http://x");
    if (resp != NULL) {
        if (resp_body(resp) != NULL)
            puts(resp_body(resp));
        resp_close(resp);
    }
    return 0;
}
/* wrong: const body read only */
int wrong_2(void)
{
    response *resp = http_get("http://x");
    if (!resp)
        return -1;
    puts(resp_body(resp));
    return 0; /* want: snag-leak */
}
/* right: queue owns */
int right_2(struct queue *q)
{
    response *resp = http_get("http://y");
    if (!resp)
        return -1;
    queue_push(q, resp);
    return 0;
}
/* right: array of responses all closed */
int right_3(const char **u)
{
    response *r[3] = { 0 };
    int ok = 0;
    for (int i = 0; i < 3; i++) {
        r[i] = http_get(u[i]);
        if (!r[i])
            break;
        ok++;
    }
    for (int i = 0; i < 3; i++)
        if (r[i])
            resp_close(r[i]);
    return ok;
}
/* right: do while(0) */
int right_4(const char *u)
{
    int rc = -1;
    response *r = NULL;
    do {
        r = http_get(u);
        if (!r)
            break;
        if (!resp_body(r))
            break;
        rc = 0;
    } while (0);
    if (r)
        resp_close(r);
    return rc;
}
/* wrong: thrown away (void) */
void wrong_3(const char *u)
{
    (void)http_get(u); /* want: snag-lost-result */
}
/* wrong: passed directly to a reader */
int wrong_4(const char *u)
{
    return puts(resp_body(http_get(u))); /* want: snag-leak */
}
/* right: scoped in loop */
int right_5(const char **u)
{
    int n = 0;
    while (*u) {
        response *r SNAG_SCOPED(resp_close) = http_get(*u++);
        if (!r)
            continue;
        if (resp_body(r))
            n++;
    }
    return n;
}
/* wrong: epoll ctl fails after accept */
int wrong_5(int ep, int l)
{
    struct epoll_event ev;
    int c = accept(l, NULL, NULL);
    if (c < 0)
        return -1;
    memset(&ev, 0, sizeof ev);
    ev.events = EPOLLIN;
    ev.data.fd = c;
    if (epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev) < 0) {
        perror("epoll_ctl");
        return -1; /* want: snag-leak */
    }
    return 0;
}
/* right: epoll keeps it */
int right_6(int ep, int l)
{
    struct epoll_event ev = { .events = EPOLLIN };
    int c = accept(l, NULL, NULL);
    if (c < 0)
        return -1;
    ev.data.fd = c;
    if (epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev) < 0) {
        close(c);
        return -1;
    }
    return 0;
}
/* wrong: deflate object leak on loop error */
int wrong_6(FILE *in, FILE *out)
{
    z_stream zs;
    unsigned char a[100], b[100];
    memset(&zs, 0, sizeof zs);
    if (deflateInit(&zs, Z_DEFAULT_COMPRESSION) != Z_OK)
        return -1;
    int flush;
    do {
        zs.avail_in = (unsigned)fread(a, 1, sizeof a, in);
        if (ferror(in))
            return -2; /* want: snag-leak */
        flush = feof(in) ? Z_FINISH : Z_NO_FLUSH;
        zs.next_in = a;
        do {
            zs.avail_out = sizeof b;
            zs.next_out = b;
            deflate(&zs, flush);
            fwrite(b, 1, sizeof b - zs.avail_out, out);
        } while (zs.avail_out == 0);
    } while (flush != Z_FINISH);
    deflateEnd(&zs);
    return 0;
}
/* right: zpipe */
int right_7(FILE *in, FILE *out)
{
    z_stream zs;
    unsigned char a[100], b[100];
    int ret;
    zs.zalloc = Z_NULL;
    zs.zfree = Z_NULL;
    zs.opaque = Z_NULL;
    zs.avail_in = 0;
    zs.next_in = Z_NULL;
    ret = inflateInit(&zs);
    if (ret != Z_OK)
        return ret;
    do {
        zs.avail_in = (unsigned)fread(a, 1, sizeof a, in);
        if (ferror(in)) {
            (void)inflateEnd(&zs);
            return Z_ERRNO;
        }
        if (zs.avail_in == 0)
            break;
        zs.next_in = a;
        do {
            zs.avail_out = sizeof b;
            zs.next_out = b;
            ret = inflate(&zs, Z_NO_FLUSH);
            switch (ret) {
            case Z_NEED_DICT:
                ret = Z_DATA_ERROR;
                /* fall through */
            case Z_DATA_ERROR:
            case Z_MEM_ERROR: (void)inflateEnd(&zs); return ret;
            }
            if (fwrite(b, 1, sizeof b - zs.avail_out, out) != sizeof b - zs.avail_out) {
                (void)inflateEnd(&zs);
                return Z_ERRNO;
            }
        } while (zs.avail_out == 0);
    } while (ret != Z_STREAM_END);
    (void)inflateEnd(&zs);
    return ret == Z_STREAM_END ? Z_OK : Z_DATA_ERROR;
}
/* right: bufferevent takes fd, callback gets it */
static void readcb(struct bufferevent *b, void *a)
{
    (void)a;
    bufferevent_free(b);
}
void right_8(struct event_base *base, evutil_socket_t fd)
{
    struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!bev) {
        close(fd);
        return;
    }
    bufferevent_setcb(bev, readcb, NULL, NULL, NULL);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}
/* wrong: bufferevent connect fails */
int wrong_7(struct event_base *base, struct sockaddr *sa, int len)
{
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!bev)
        return -1;
    if (bufferevent_socket_connect(bev, sa, len) < 0)
        return -1; /* want: snag-leak */
    bufferevent_free(bev);
    return 0;
}
/* right: evhttp request handed over */
int right_9(struct evhttp_connection *c, void (*cb)(struct evhttp_request *, void *))
{
    struct evhttp_request *rq = evhttp_request_new(cb, NULL);
    if (!rq)
        return -1;
    return evhttp_make_request(c, rq, EVHTTP_REQ_GET, "/");
}
struct server {
    struct event_base *base;
    struct event *ev;
    int fd;
    DIR *d;
    pthread_t t;
    pthread_mutex_t m;
};
/* right: server init into caller's struct */
int right_10(struct server *s)
{
    memset(s, 0, sizeof *s);
    s->base = event_base_new();
    if (!s->base)
        return -1;
    s->fd = eventfd(0, 0);
    if (s->fd < 0) {
        event_base_free(s->base);
        s->base = NULL;
        return -1;
    }
    pthread_mutex_init(&s->m, NULL);
    return 0;
}
/* wrong: server init leaks nothing but local d */
int wrong_8(struct server *s, const char *p)
{
    DIR *d = opendir(p);
    if (!d)
        return -1;
    s->fd = open(p, O_RDONLY | O_DIRECTORY);
    if (s->fd < 0)
        return -1; /* want: snag-leak */
    s->d = d;
    return 0;
}
/* right: threads array join */
static void *fn(void *a)
{
    return a;
}
int right_11(int n)
{
    pthread_t t[8];
    int i, started = 0;
    for (i = 0; i < 8 && i < n; i++) {
        if (pthread_create(&t[i], NULL, fn, NULL) != 0)
            break;
        started++;
    }
    for (i = 0; i < started; i++)
        pthread_join(t[i], NULL);
    return started;
}
/* right: threads in malloc */
int right_12(int n)
{
    pthread_t *t = malloc(sizeof *t * (size_t)n);
    if (!t)
        return -1;
    for (int i = 0; i < n; i++)
        if (pthread_create(&t[i], NULL, fn, NULL) != 0)
            abort();
    for (int i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    free(t);
    return 0;
}
/* right: mutex static local attr */
int right_13(pthread_mutex_t *m)
{
    pthread_mutexattr_t a;
    if (pthread_mutexattr_init(&a) != 0)
        return -1;
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    int r = pthread_mutex_init(m, &a);
    pthread_mutexattr_destroy(&a);
    return r;
}
/* right: mmap stored in global */
static void *g_map;
int right_14(int fd)
{
    void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -1;
    g_map = p;
    return 0;
}
/* right: fd reused via variable then owned by FILE */
int right_15(const char *p, FILE **out)
{
    int fd = mkstemp((char *)p);
    if (fd == -1)
        return -1;
    FILE *f = fdopen(fd, "w");
    if (f == NULL) {
        close(fd);
        unlink(p);
        return -1;
    }
    *out = f;
    return 0;
}
/* wrong: double close on error via goto */
int wrong_9(const char *p)
{
    int rc = -1, fd = open(p, O_RDONLY);
    char c;
    if (fd < 0)
        return -1;
    if (read(fd, &c, 1) != 1) {
        close(fd);
        goto out;
    }
    rc = c;
out:
    close(fd); /* want: snag-double-release */
    return rc;
}
/* right: set to -1 after close */
int right_16(const char *p)
{
    int rc = -1, fd = open(p, O_RDONLY);
    char c;
    if (fd < 0)
        return -1;
    if (read(fd, &c, 1) != 1) {
        close(fd);
        fd = -1;
        goto out;
    }
    rc = c;
out:
    if (fd >= 0)
        close(fd);
    return rc;
}
/* right: helper taking double pointer */
static void closep(FILE **f)
{
    if (*f) {
        fclose(*f);
        *f = NULL;
    }
}
int right_17(const char *p)
{
    FILE *f = fopen(p, "r");
    if (!f)
        return 0;
    int c = getc(f);
    closep(&f);
    closep(&f);
    return c;
}
/* wrong: retry loop leaks each failed socket */
int wrong_10(struct sockaddr *a, socklen_t n)
{
    for (int i = 0; i < 5; i++) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        if (s < 0)
            return -1;
        if (connect(s, a, n) == 0)
            return s;
        sleep(1); /* want: snag-leak */
    }
    return -1;
}
/* wrong: gz read error */
int wrong_11(const char *p, char *b, unsigned n)
{
    gzFile g = gzopen(p, "rb");
    if (g == NULL)
        return -1;
    int k = gzread(g, b, n);
    if (k < 0) {
        fprintf(stderr, "bad\n");
        return k; /* want: snag-leak */
    }
    gzclose(g);
    return k;
}
/* wrong: eventfd in a struct local */
int wrong_12(void)
{
    struct server s;
    s.fd = eventfd(0, EFD_CLOEXEC);
    if (s.fd < 0)
        return -1;
    uint64_t one = 1;
    if (write(s.fd, &one, sizeof one) != sizeof one)
        return -1; /* want: snag-leak */
    close(s.fd);
    return 0;
}
/* wrong: both branches assign, only one closed */
int wrong_13(const char *a, const char *b, int x)
{
    FILE *f;
    int c;
    if (x)
        f = fopen(a, "r");
    else
        f = fopen(b, "r");
    if (!f)
        return -1;
    c = getc(f);
    if (x)
        fclose(f);
    return c; /* want: snag-leak */
}
/* right: conditional open, guarded close */
int right_18(const char *a, int x)
{
    FILE *f = x ? fopen(a, "w") : NULL;
    if (x && !f)
        return -1;
    if (f)
        fputs("hi", f);
    if (x)
        fclose(f);
    return 0;
}
/* right: tail of a getline loop */
int right_19(const char *p)
{
    char *l = NULL;
    size_t n = 0;
    int k = 0;
    FILE *f = fopen(p, "r");
    if (!f)
        return -1;
    while (getline(&l, &n, f) != -1)
        k++;
    free(l);
    return fclose(f) ? -1 : k;
}
/* right: return comma/ternary w/ close */
int right_20(const char *p)
{
    int fd = open(p, O_RDONLY);
    return fd < 0 ? -1 : close(fd);
}
