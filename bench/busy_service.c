/* busy_service.c: throughput with and without somebody who asks for dumps.
 *
 *   busy_service ROUNDS SECONDS DUMPS_PER_SECOND
 * An echo service: four threads on one epoll answer messages of 128 bytes, each
 * after a little computing; a hundred threads more are blocked, as in any service. Its
 * clients are a child process with a thread per connection; who asks for dumps is
 * another. Rounds without and with dumps alternate; prints "off N" and "on N", messages a
 * second, a line a round. */
#include <snag/snag.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 4
#define CONNECTIONS 16
#define SLEEPERS 100
#define MESSAGE 128

static int epoll;
static _Atomic unsigned long served;

static unsigned compute(const unsigned char *bytes, size_t length)
{
    unsigned sum = 2166136261u;
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < length; i++)
            sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

static void answer(int fd)
{
    unsigned char bytes[MESSAGE];
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0)
            close(fd);
        return;
    }
    unsigned sum = compute(bytes, (size_t)got);
    memcpy(bytes, &sum, sizeof sum);
    if (send(fd, bytes, (size_t)got, MSG_NOSIGNAL) == got)
        served++;
}

static void *worker(void *unused)
{
    struct epoll_event event;
    for (;;) {
        if (epoll_wait(epoll, &event, 1, -1) != 1)
            continue;
        answer(event.data.fd);
        event.events = EPOLLIN | EPOLLONESHOT;
        epoll_ctl(epoll, EPOLL_CTL_MOD, event.data.fd, &event);
    }
    return unused;
}

static void *sleeper(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void *client_thread(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char bytes[MESSAGE] = { 1 };
    while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) == MESSAGE &&
           recv(fd, bytes, sizeof bytes, MSG_WAITALL) == MESSAGE) {
    }
    return NULL;
}

static void client_process(in_port_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = port,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < CONNECTIONS; i++) {
        pthread_t thread;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&to, sizeof to))
            _exit(1);
        pthread_create(&thread, NULL, client_thread, (void *)(intptr_t)fd);
    }
    for (;;)
        pause();
}

static pid_t start_dumps(const char *beside, int per_second)
{
    char path[4096], pause_ms[16], address[64];
    const char *slash = strrchr(beside, '/');
    snprintf(path, sizeof path, "%.*s/timed_get", (int)(slash ? slash - beside : 0), beside);
    snprintf(pause_ms, sizeof pause_ms, "%d", 1000 / per_second);
    snprintf(address, sizeof address, "%s", snag_address());
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stdout))
        _exit(1);
    execl(path, path, address, "/debug/pprof/threads", "1000000", pause_ms, (char *)NULL);
    _exit(127);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Messages a second, over SECONDS. */
static double measure(double seconds)
{
    usleep(200000); /* whatever began with this round has begun */
    double begin = now();
    unsigned long before = served;
    usleep((useconds_t)(seconds * 1e6));
    return (double)(served - before) / (now() - begin);
}

static in_port_t serve(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof any;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&any, size) || listen(listener, CONNECTIONS) ||
        getsockname(listener, (struct sockaddr *)&any, &size))
        return 0;
    pid_t clients = fork();
    if (clients == 0)
        client_process(any.sin_port);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
        event.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (event.data.fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event))
            return 0;
    }
    close(listener);
    return any.sin_port;
}

static void start_threads(int count, void *(*function)(void *))
{
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, function, NULL);
    }
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 8;
    double seconds = argc > 2 ? atof(argv[2]) : 3;
    int per_second = argc > 3 ? atoi(argv[3]) : 10;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    if (serve() == 0 || snag_start(&options))
        return 1;
    start_threads(WORKERS, worker);
    start_threads(SLEEPERS, sleeper);
    measure(1);
    for (int i = 0; i < 2 * rounds; i++) {
        bool on = i % 2;
        pid_t dumps = on ? start_dumps(argv[0], per_second) : 0;
        double rate = measure(seconds);
        if (dumps > 0) {
            if (waitpid(dumps, NULL, WNOHANG) == dumps)
                return 1; /* it should have gone on asking */
            kill(dumps, SIGKILL);
            waitpid(dumps, NULL, 0);
        }
        printf("%s %.0f\n", on ? "on" : "off", rate);
        fflush(stdout);
    }
    _exit(0);
}
