/* assorted.c: threads of many kinds, for those who read profiles.
 *
 * Prints "FUNCTION=COUNT" for each kind of thread (so many have that function
 * in their stack), then how many threads there are, then the address; from then
 * on nothing moves but one thread that spins. Ends by itself after five minutes. */
#include <snag/snag.h>

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int pipe_ends[2];
static int listening;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static pthread_barrier_t all_started;
static atomic_bool never;
static atomic_long spins;

static __attribute__((noinline)) void wait_in_read(void)
{
    char byte;
    while (!never)
        if (read(pipe_ends[0], &byte, 1) != 1)
            return;
}

static __attribute__((noinline)) void wait_in_poll(void)
{
    struct pollfd one = { .fd = pipe_ends[0], .events = POLLIN };
    while (!never)
        poll(&one, 1, -1);
}

static __attribute__((noinline)) void wait_in_epoll(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN };
    epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &event);
    while (!never)
        epoll_wait(epoll, &event, 1, -1);
}

static __attribute__((noinline)) void wait_in_accept(void)
{
    while (!never)
        accept(listening, NULL, NULL);
}

static __attribute__((noinline)) void wait_on_condition(void)
{
    pthread_mutex_lock(&mutex);
    while (!never)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
}

static __attribute__((noinline)) void wait_on_mutex(void)
{
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
}

static __attribute__((noinline)) void wait_on_semaphore(void)
{
    while (!never)
        sem_wait(&semaphore);
}

static __attribute__((noinline)) void sleep_long(void)
{
    while (!never)
        nanosleep(&(struct timespec){ .tv_sec = 3600 }, NULL);
}

static __attribute__((noinline)) int wait_far_down(int depth)
{
    if (depth == 0) {
        wait_in_read();
        return 0;
    }
    volatile int below = wait_far_down(depth - 1); /* volatile: no compiler makes a loop of it */
    return below + depth;
}

static __attribute__((noinline)) void wait_deep(void)
{
    spins += wait_far_down(60);
}

static __attribute__((noinline)) void spin(void)
{
    while (!never)
        spins++;
}

static const struct kind {
    const char *name;
    int count;
    void (*run)(void);
} kinds[] = {
    { "wait_in_read", 3, wait_in_read },
    { "wait_in_poll", 2, wait_in_poll },
    { "wait_in_epoll", 1, wait_in_epoll },
    { "wait_in_accept", 1, wait_in_accept },
    { "wait_on_condition", 5, wait_on_condition },
    { "wait_on_mutex", 4, wait_on_mutex },
    { "wait_on_semaphore", 2, wait_on_semaphore },
    { "sleep_long", 2, sleep_long },
    { "wait_deep", 1, wait_deep },
    { "spin", 1, spin },
};

static void *kind_main(void *argument)
{
    const struct kind *kind = argument;
    char name[16];
    snprintf(name, sizeof name, "%.15s", kind->name);
    pthread_setname_np(pthread_self(), name);
    pthread_barrier_wait(&all_started);
    kind->run();
    return NULL;
}

static void start_all(void)
{
    int threads = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        threads += kinds[i].count;
    pthread_barrier_init(&all_started, NULL, (unsigned)threads + 1);
    pthread_mutex_lock(&held);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int n = 0; n < kinds[i].count; n++) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, kind_main, (void *)(uintptr_t)&kinds[i]) != 0)
                exit(1);
        }
    }
    pthread_barrier_wait(&all_started);
}

/* What the kernel counts, without the listener: a sanitizer may add its own. */
static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    for (struct dirent *entry; tasks && (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
    return count - 1;
}

int main(void)
{
    alarm(300);
    listening = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr any = { .sa_family = AF_UNIX };
    if (snag_start(NULL) || pipe(pipe_ends) || bind(listening, &any, sizeof any.sa_family) ||
        listen(listening, 1) || sem_init(&semaphore, 0, 0))
        return 1;
    start_all();
    nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) /* wait_deep ends in read, too */
        printf("%s=%d\n", kinds[i].name, kinds[i].count + (kinds[i].run == wait_in_read));
    printf("threads=%d\nassorted listens on %s\n", count_threads(), snag_address());
    fflush(stdout);
    for (;;)
        pause();
}
