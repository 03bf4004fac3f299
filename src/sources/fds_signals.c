/* fds_signals.c: names of signals; see fds_signals.h.
 *
 * The C library's own calls for this go through its locale. Its SIGRTMIN lies two
 * above the kernel's, as it keeps those two for itself. */
#include "sources/fds_signals.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define KERNEL_SIGRTMIN 32

static const char *const names[] = {
    [SIGHUP] = "HUP",       [SIGINT] = "INT",   [SIGQUIT] = "QUIT",   [SIGILL] = "ILL",
    [SIGTRAP] = "TRAP",     [SIGABRT] = "ABRT", [SIGBUS] = "BUS",     [SIGFPE] = "FPE",
    [SIGKILL] = "KILL",     [SIGUSR1] = "USR1", [SIGSEGV] = "SEGV",   [SIGUSR2] = "USR2",
    [SIGPIPE] = "PIPE",     [SIGALRM] = "ALRM", [SIGTERM] = "TERM",   [SIGCHLD] = "CHLD",
    [SIGCONT] = "CONT",     [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",   [SIGTTIN] = "TTIN",
    [SIGTTOU] = "TTOU",     [SIGURG] = "URG",   [SIGXCPU] = "XCPU",   [SIGXFSZ] = "XFSZ",
    [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH", [SIGIO] = "IO",
    [SIGPWR] = "PWR",       [SIGSYS] = "SYS",
#ifdef SIGSTKFLT
    [SIGSTKFLT] = "STKFLT",
#endif
};

static void write_name(char *text, size_t size, int number)
{
    const char *name = (size_t)number < sizeof names / sizeof *names ? names[number] : NULL;
    if (name)
        snprintf(text, size, "SIG%s", name);
    else if (number == KERNEL_SIGRTMIN + 2)
        snprintf(text, size, "SIGRTMIN");
    else if (number > KERNEL_SIGRTMIN + 2)
        snprintf(text, size, "SIGRTMIN+%d", number - KERNEL_SIGRTMIN - 2);
    else
        snprintf(text, size, "%d", number);
}

void signal_set_words(char *text, size_t size, uint64_t mask)
{
    size_t used = 0;
    text[0] = 0;
    for (int number = 1; number <= 64; number++) {
        char name[24];
        if (!(mask >> (number - 1) & 1))
            continue;
        write_name(name, sizeof name, number);
        int length = snprintf(text + used, size - used, "%s%s", used ? " " : "", name);
        if (length < 0 || (size_t)length >= size - used)
            return;
        used += (size_t)length;
    }
}
