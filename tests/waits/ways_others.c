/* ways_others.c: on times, signals, processes, queues. */
#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- times and signals ---- */

static NOINLINE void in_nanosleep(struct way *way)
{
    struct timespec time = { LONG_TIME, 0 };
    way->timed = true;
    nanosleep(&time, NULL);
    STAY();
}

static NOINLINE void in_absolute_sleep(struct way *way)
{
    struct timespec until = from_now(CLOCK_MONOTONIC, LONG_TIME);
    way->timed = true;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    STAY();
}

static NOINLINE void in_sleep(struct way *way)
{
    way->timed = true;
    sleep(LONG_TIME);
    STAY();
}

static NOINLINE void in_pause(struct way *way)
{
    (void)way;
    pause();
    STAY();
}

static NOINLINE void in_sigsuspend(struct way *way)
{
    (void)way;
    sigset_t none;
    sigemptyset(&none);
    sigsuspend(&none);
    STAY();
}

static NOINLINE void in_sigwait(struct way *way)
{
    (void)way;
    sigset_t set;
    int number;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigwait(&set, &number);
    STAY();
}

static NOINLINE void in_sigtimedwait(struct way *way)
{
    sigset_t set;
    struct timespec time = { LONG_TIME, 0 };
    sigfillset(&set);
    way->timed = true;
    sigtimedwait(&set, NULL, &time);
    STAY();
}

/* ---- processes ---- */

static pid_t pausing_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "offspring");
        for (;;)
            pause();
    }
    usleep(20000); /* it has named itself by then */
    return pid;
}

static NOINLINE void in_waitpid(struct way *way)
{
    way->holder = pausing_child();
    waitpid(way->holder, NULL, 0);
    STAY();
}

static NOINLINE void in_waitid(struct way *way)
{
    siginfo_t info;
    way->holder = pausing_child();
    waitid(P_PID, (id_t)way->holder, &info, WEXITED);
    STAY();
}

static NOINLINE void in_wait(struct way *way)
{
    (void)way;
    pausing_child();
    wait(NULL);
    STAY();
}

static NOINLINE void in_vfork(struct way *way)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    errno = ENOSYS;
    cannot(way, "vfork under a sanitizer, which makes it a fork");
#endif
    (void)way;
    pid_t pid = vfork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        poll(NULL, 0, LONG_TIME * 1000);
        _exit(0);
    }
    STAY();
}

/* ---- queues ---- */

static NOINLINE void in_msgrcv(struct way *way)
{
    struct {
        long type;
        char text[16];
    } message;
    int id = msgget(IPC_PRIVATE, 0600);
    if (id < 0)
        cannot(way, "msgget");
    snprintf(way->made, sizeof way->made, "System V message queue %d", id);
    msgrcv(id, &message, sizeof message.text, 0, 0);
    STAY();
}

static NOINLINE void in_semop(struct way *way)
{
    struct sembuf take = { 0, -1, 0 };
    int id = semget(IPC_PRIVATE, 1, 0600);
    if (id < 0)
        cannot(way, "semget");
    snprintf(way->made, sizeof way->made, "System V semaphore set %d", id);
    semop(id, &take, 1);
    STAY();
}

static char fifo_path[64];

static NOINLINE void in_open_fifo(struct way *way)
{
    const char *path = fifo_path;
    snprintf(fifo_path, sizeof fifo_path, "/tmp/snag-fifo-%d", (int)getpid());
    unlink(path); /* of an earlier process with this id */
    if (mkfifo(path, 0600) < 0)
        cannot(way, path);
    snprintf(way->made, sizeof way->made, "other end of fifo %s", path);
    if (open(path, O_RDONLY) >= 0)
        STAY();
}

void others_clean_up(void)
{
    unlink(fifo_path);
}

const struct kind_of_wait ways_others[] = {
    { "nanosleep", in_nanosleep, "sleep" },
    { "absolute sleep", in_absolute_sleep, "sleep" },
    { "sleep", in_sleep, "sleep" },
    { "pause", in_pause, "any signal" },
    { "sigsuspend", in_sigsuspend, "any signal" },
    { "sigwait", in_sigwait, "SIGUSR1 or SIGUSR2" },
    { "sigtimedwait", in_sigtimedwait, "signal[62 of them]" },
    { "waitpid", in_waitpid, "child offspring" },
    { "waitid", in_waitid, "child offspring" },
    { "wait", in_wait, "any child" },
    { "vfork", in_vfork, "child that has not called exec yet" },
    { "msgrcv", in_msgrcv, NULL },
    { "semop", in_semop, NULL },
    { "open of a FIFO", in_open_fifo, NULL },
    { NULL, NULL, NULL },
};
