/* write_guard.c: writes that bring the service no signal; see write_guard.h.
 *
 * SIGPIPE and SIGXFSZ go to the thread that writes. They are held back meanwhile, and taken away if
 * they have come; what was pending before is left. With SIGTTOU held back the kernel lets a
 * background job's write to its terminal pass. */
#include "api/write_guard.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

void write_guard_begin(struct write_guard *guard)
{
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGPIPE);
    sigaddset(&held, SIGXFSZ);
    sigaddset(&held, SIGTTOU);
    sigpending(&guard->pending);
    pthread_sigmask(SIG_BLOCK, &held, &guard->mask);
}

static void take_away(const struct write_guard *guard, int signal)
{
    const struct timespec now = { 0, 0 };
    sigset_t pending;
    sigset_t only;
    sigpending(&pending);
    if (sigismember(&guard->pending, signal) == 1 || sigismember(&pending, signal) != 1)
        return;
    sigemptyset(&only);
    sigaddset(&only, signal);
    while (sigtimedwait(&only, NULL, &now) < 0 && errno == EINTR)
        ;
}

void write_guard_end(const struct write_guard *guard)
{
    int before = errno;
    take_away(guard, SIGPIPE);
    take_away(guard, SIGXFSZ);
    pthread_sigmask(SIG_SETMASK, &guard->mask, NULL);
    errno = before;
}
