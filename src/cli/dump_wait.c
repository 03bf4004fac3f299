/* dump_wait.c: between two dumps.
 *
 * One poll on three things: time, signals (by a signalfd, so that none comes in the middle of a
 * dump) and the end of the process, which a pidfd tells at once and for a process of anybody. */
#include "cli/dump.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint64_t dump_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int take_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

void dump_wait_open(struct dump_wait *wait, pid_t process, bool with_signals)
{
    wait->signals = with_signals ? take_signals() : -1;
    wait->process = (int)syscall(SYS_pidfd_open, process, 0);
}

void dump_wait_close(struct dump_wait *wait)
{
    if (wait->signals >= 0)
        close(wait->signals);
    if (wait->process >= 0)
        close(wait->process);
}

enum dump_event dump_wait_until(const struct dump_wait *wait, uint64_t time_ns)
{
    struct pollfd both[] = { { .fd = wait->signals, .events = POLLIN },
                             { .fd = wait->process, .events = POLLIN } };
    for (;;) {
        uint64_t now = dump_now_ns();
        uint64_t left = time_ns > now ? time_ns - now : 0;
        const struct timespec timeout = { (time_t)(left / 1000000000), (long)(left % 1000000000) };
        int found = ppoll(both, 2, &timeout, NULL);
        if (found > 0 && both[0].revents)
            return WAS_INTERRUPTED;
        if (found > 0 && both[1].revents)
            return PROCESS_HAS_ENDED;
        if (found == 0)
            return TIME_HAS_COME;
        if (errno != EINTR)
            return WAS_INTERRUPTED;
    }
}
