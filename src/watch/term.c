/* term.c: a handler before the service's own handler of SIGTERM; see term.h.
 *
 * Ours has the same flags and mask, notes that it was called, wakes the engine's thread and calls
 * theirs. It is never taken back: a signal on its way would meet SIG_DFL. A service that sets
 * another handler afterwards is found at the next look; in between it is as if nobody looked. In a
 * child of fork it only calls theirs. */
#include "watch/term.h"

#include "capture/raw.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
    _Atomic pid_t pid;        /* of the process that is watched */
    _Atomic pid_t tid;        /* of the engine's thread */
    _Atomic int wake;         /* the signal that wakes it */
    _Atomic uintptr_t theirs; /* their handler */
    _Atomic bool takes_info;  /* it is one of three arguments */
    _Atomic bool came;
} term;

static void on_term(int number, siginfo_t *info, void *context)
{
    pid_t pid = (pid_t)raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
    if (pid == atomic_load(&term.pid) && !atomic_exchange(&term.came, true))
        raw_call(SYS_tgkill, pid, atomic_load(&term.tid), atomic_load(&term.wake), 0, 0, 0);
    uintptr_t theirs = atomic_load(&term.theirs);
    if (atomic_load(&term.takes_info))
        ((void (*)(int, siginfo_t *, void *))theirs)(number, info, context);
    else
        ((void (*)(int))theirs)(number);
}

void term_watch(int wake_signal)
{
    struct sigaction found;
    atomic_store(&term.pid, getpid());
    atomic_store(&term.tid, gettid());
    atomic_store(&term.wake, wake_signal);
    if (sigaction(SIGTERM, NULL, &found) != 0)
        return;
    bool takes_info = (found.sa_flags & SA_SIGINFO) != 0;
    uintptr_t handler = takes_info ? (uintptr_t)found.sa_sigaction : (uintptr_t)found.sa_handler;
    if (handler == (uintptr_t)SIG_DFL || handler == (uintptr_t)SIG_IGN ||
        handler == (uintptr_t)on_term)
        return;
    atomic_store(&term.takes_info, takes_info);
    atomic_store(&term.theirs, handler);
    struct sigaction ours = found;
    ours.sa_sigaction = on_term;
    ours.sa_flags |= SA_SIGINFO;
    sigaction(SIGTERM, &ours, NULL);
}

bool term_came(void)
{
    return atomic_exchange(&term.came, false);
}
