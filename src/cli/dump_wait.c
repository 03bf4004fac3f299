/* dump_wait.c: between two dumps.
 *
 * One poll for time and for the end of the process, which a pidfd tells at once and for a process
 * of anybody. Ctrl-C is not waited for here: a watch that hangs in a file of /proc must end, too.
 */
#include "cli/dump.h"

#include "cli/commands.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint64_t dump_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static volatile sig_atomic_t leaves_screen;

static void on_interrupt(int number)
{
    (void)number;
    if (leaves_screen && write(STDOUT_FILENO, "\n", 1) < 0)
        _exit(STATUS_FAILED);
    _exit(STATUS_OK);
}

void dump_end_on_interrupt(bool is_screen)
{
    struct sigaction action = { .sa_handler = on_interrupt };
    struct sigaction before;
    leaves_screen = is_screen;
    /* A shell starts what goes to the background with the signal ignored. */
    if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGINT, &action, NULL);
}

int dump_open_process(pid_t process)
{
    return (int)syscall(SYS_pidfd_open, process, 0);
}

enum dump_event dump_wait_until(int process, uint64_t time_ns)
{
    struct pollfd end = { .fd = process, .events = POLLIN };
    for (;;) {
        uint64_t now = dump_now_ns();
        uint64_t left = time_ns > now ? time_ns - now : 0;
        const struct timespec timeout = { (time_t)(left / 1000000000), (long)(left % 1000000000) };
        int found = ppoll(&end, 1, &timeout, NULL);
        if (found > 0)
            return PROCESS_HAS_ENDED;
        if (found == 0 || errno != EINTR)
            return TIME_HAS_COME;
    }
}
