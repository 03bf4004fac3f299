/* blocked_service.c: a service whose threads are all blocked, in six ways, below
 * 8 to 14 layers of its own: stacks of 12 to 18 frames, 42 different ones.
 *
 *   blocked_service THREADS
 * prints "ADDRESS PID" when all are blocked, then answers each line on its
 * standard input with how many of its calls have been interrupted (EINTR)
 * since the last line. Ends with its input. */
#include <snag/snag.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")

static int empty_pipe[2];
static int pair[2];
static int epoll;
static _Atomic long interrupted;
static _Atomic long waiting;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

struct job {
    long number;
    void (*wait)(void);
    char text[64];
};

static void again(long result)
{
    if (result < 0 && errno == EINTR)
        interrupted++;
}

static NOINLINE void wait_for_events(void)
{
    struct epoll_event events[16];
    for (;;)
        again(epoll_wait(epoll, events, 16, 3600000));
}

static NOINLINE void wait_for_poll(void)
{
    struct pollfd fd = { empty_pipe[0], POLLIN, 0 };
    for (;;)
        again(poll(&fd, 1, 3600000));
}

/* With SO_RCVTIMEO set, as a careful client does: not restarted after a signal. */
static NOINLINE void wait_for_answer(void)
{
    char bytes[256];
    for (;;)
        again(recv(pair[0], bytes, sizeof bytes, 0));
}

static NOINLINE void wait_for_bytes(void)
{
    char bytes[256];
    for (;;)
        again(read(empty_pipe[0], bytes, sizeof bytes));
}

static NOINLINE void wait_for_lock(void)
{
    pthread_mutex_lock(&held);
    STAY();
}

static NOINLINE void wait_for_work(void)
{
    pthread_mutex_lock(&guard);
    for (;;)
        pthread_cond_wait(&never, &guard);
}

static void (*const ways[])(void) = { wait_for_work,  wait_for_events, wait_for_answer,
                                      wait_for_bytes, wait_for_poll,   wait_for_lock };

/* A layer does a little with its arguments and calls the next. */
#define LAYER(depth, next)                                                                         \
    static NOINLINE long layer_##depth(struct job *job)                                            \
    {                                                                                              \
        char local[24 + (depth)*8];                                                                \
        memcpy(local, job->text, 24);                                                              \
        __asm__ volatile("" : : "r"(local) : "memory");                                            \
        long result = next(job);                                                                   \
        STAY();                                                                                    \
        return result + local[job->number & 15];                                                   \
    }

static NOINLINE long layer_0(struct job *job)
{
    waiting++;
    job->wait();
    return job->number;
}

LAYER(1, layer_0)
LAYER(2, layer_1)
LAYER(3, layer_2)
LAYER(4, layer_3)
LAYER(5, layer_4)
LAYER(6, layer_5)
LAYER(7, layer_6)
LAYER(8, layer_7)
LAYER(9, layer_8)
LAYER(10, layer_9)
LAYER(11, layer_10)
LAYER(12, layer_11)
LAYER(13, layer_12)
LAYER(14, layer_13)

static long (*const entries[])(struct job *) = { layer_8,  layer_9,  layer_10, layer_11,
                                                 layer_12, layer_13, layer_14 };

static void *worker(void *number)
{
    struct job job = { .number = (long)number };
    job.wait = ways[job.number % 6];
    entries[job.number / 6 % 7](&job);
    return NULL;
}

static int start_threads(long count)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_mutex_lock(&held);
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, &attributes, worker, (void *)i);
        if (error) {
            fprintf(stderr, "thread %ld: %s\n", i, strerror(error));
            return -1;
        }
    }
    while (waiting < count)
        usleep(10000);
    usleep(300000); /* from the counter into the call */
    return 0;
}

static int set_scene(void)
{
    struct timeval limit = { 3600, 0 };
    struct epoll_event event = { .events = EPOLLIN };
    if (pipe(empty_pipe) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return -1;
    epoll = epoll_create1(0);
    return setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
           epoll_ctl(epoll, EPOLL_CTL_ADD, empty_pipe[0], &event);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    char line[64];
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (set_scene() || snag_start(&options) || start_threads(argc > 1 ? atol(argv[1]) : 1000))
        return 1;
    printf("%s %d\n", snag_address(), (int)getpid());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        printf("%ld\n", interrupted);
        interrupted = 0;
        fflush(stdout);
    }
    _exit(0);
}
