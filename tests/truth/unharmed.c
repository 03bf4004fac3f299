/* unharmed.c: a process that notices when it is disturbed.
 *
 * Its threads wait in calls that come back with EINTR when a process is stopped or a signal is
 * handled, whatever SA_RESTART says; none is ever woken by anything else. Every signal that can be
 * caught is. After the line "ready" it answers each line of its input with
 *     EINTR 0 returned 0 signals 0 switched 0
 * since the line before: calls that were interrupted, calls that came back at all, signals, and
 * how often the kernel put one of these threads on a processor and off again. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define THREADS_A_WAY 2
#define LONG_SECONDS 3600

static int empty_pipe[2], pair[2], epoll, queue, semaphores;
static _Atomic long interrupted, returned, signals, waiting;

static long in_epoll(void)
{
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, LONG_SECONDS * 1000);
}

static long in_poll(void)
{
    struct pollfd fd = { empty_pipe[0], POLLIN, 0 };
    return poll(&fd, 1, LONG_SECONDS * 1000);
}

static long in_select(void)
{
    fd_set set;
    struct timeval time = { LONG_SECONDS, 0 };
    FD_ZERO(&set);
    FD_SET(empty_pipe[0], &set);
    return select(empty_pipe[0] + 1, &set, NULL, NULL, &time);
}

/* With SO_RCVTIMEO set, as a careful client does. */
static long in_receive(void)
{
    char bytes[64];
    return recv(pair[0], bytes, sizeof bytes, 0);
}

static long in_message(void)
{
    char message[64];
    return msgrcv(queue, message, sizeof message - sizeof(long), 0, 0);
}

static long in_semaphore(void)
{
    struct sembuf take = { 0, -1, 0 };
    return semop(semaphores, &take, 1);
}

static long (*const ways[])(void) = { in_epoll,   in_poll,    in_select,
                                      in_receive, in_message, in_semaphore };
#define THREADS (THREADS_A_WAY * sizeof ways / sizeof *ways)
static pid_t tids[THREADS];

static void *wait_for_ever(void *number)
{
    size_t index = (size_t)number;
    tids[index] = (pid_t)syscall(SYS_gettid);
    waiting++;
    for (;;) {
        long result = ways[index / THREADS_A_WAY]();
        interrupted += result < 0 && errno == EINTR;
        returned++;
    }
    return NULL;
}

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = count_signal, .sa_flags = SA_RESTART };
    for (int number = 1; number < NSIG; number++)
        if (number != SIGTERM && number != SIGINT && number != SIGALRM && number != SIGPIPE)
            sigaction(number, &action, NULL);
}

static long switches_of(pid_t tid)
{
    char path[64], line[128];
    long sum = 0, value;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &value) == 1 ||
            sscanf(line, "nonvoluntary_ctxt_switches: %ld", &value) == 1)
            sum += value;
    if (file)
        fclose(file);
    return sum;
}

static long switches(void)
{
    long sum = 0;
    for (size_t i = 0; i < THREADS; i++)
        sum += switches_of(tids[i]);
    return sum;
}

static int set_scene(void)
{
    struct timeval limit = { LONG_SECONDS, 0 };
    struct epoll_event event = { .events = EPOLLIN };
    queue = msgget(IPC_PRIVATE, 0600);
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    epoll = epoll_create1(0);
    if (queue < 0 || semaphores < 0 || pipe(empty_pipe) ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return -1;
    return setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
           epoll_ctl(epoll, EPOLL_CTL_ADD, empty_pipe[0], &event);
}

/* Until nobody moves any more; the count of switches then. */
static long settle(void)
{
    long before, now = -1;
    while (waiting < (long)THREADS)
        usleep(10000);
    do {
        before = now;
        usleep(200000);
        now = switches();
    } while (now != before);
    return now;
}

int main(void)
{
    char line[64];
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* for where there is Yama */
    alarm(300);
    catch_signals();
    if (set_scene()) {
        perror("unharmed");
        return 2;
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, wait_for_ever, (void *)i))
            return 2;
    }
    long before = settle();
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        long now = settle();
        printf("EINTR %ld returned %ld signals %ld switched %ld\n", interrupted, returned, signals,
               now - before);
        fflush(stdout);
        before = now;
        interrupted = returned = signals = 0;
    }
    msgctl(queue, IPC_RMID, NULL);
    semctl(semaphores, 0, IPC_RMID);
    _exit(0);
}
