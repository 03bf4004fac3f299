/* disposition.c: the handler of SIGURG, which may be the service's too; see
 * disposition.h.
 *
 * SIGURG is ignored by default and its users must expect it to come for
 * nothing, so it does least harm. It is taken when the first thread must be
 * asked and never given back: a signal on its way would then meet SIG_DFL. A
 * handler that the service installs later is found here before the next asking
 * and called from ours from then on; when it hands on to what it found, that is
 * ours again, and goes to the one before ours, so that no circle can arise. (Of
 * two handlers that are both set after the first asking and hand on, the earlier is left out.) By
 * system call, not by sigaction(), which sanitizers replace by one that runs handlers late. */
#include "capture/disposition.h"

#include "capture/raw.h"

#include <stdbool.h>

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

/* As the kernel has it, on x86-64 and aarch64. */
struct kernel_sigaction {
    uintptr_t handler;
    unsigned long flags;
    uintptr_t restorer;
    uint64_t mask;
};

static int rt_sigaction(const struct kernel_sigaction *new, struct kernel_sigaction *old)
{
    return (int)raw_call(SYS_rt_sigaction, ASK_SIGNAL, (long)(const void *)new, (long)(void *)old,
                         sizeof new->mask, 0, 0);
}

static bool is_handler(const struct kernel_sigaction *action)
{
    return action->handler != (uintptr_t)SIG_DFL && action->handler != (uintptr_t)SIG_IGN;
}

static uint64_t as_previous(const struct kernel_sigaction *action)
{
    if (!is_handler(action))
        return PREVIOUS_NONE;
    return action->handler | (action->flags & SA_SIGINFO ? PREVIOUS_SIGINFO : 0) |
           (action->flags & SA_RESETHAND ? PREVIOUS_ONCE : 0);
}

static void publish(struct ask_table *table, bool first, const struct kernel_sigaction *found)
{
    atomic_store(first ? &table->below : &table->above, as_previous(found));
}

/* The service's handler keeps what it asked for: the signals blocked while it
 * runs, and whether the calls it interrupts are begun anew. */
static struct kernel_sigaction ours_instead_of(const struct kernel_sigaction *found)
{
    unsigned long restart = is_handler(found) ? found->flags & SA_RESTART : SA_RESTART;
    return (struct kernel_sigaction){
        .handler = (uintptr_t)ask_handler,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER | restart,
        .restorer = (uintptr_t)ask_restorer,
        .mask = is_handler(found) ? found->mask : 0,
    };
}

int disposition_take(struct ask_table *table)
{
    struct kernel_sigaction found;
    struct kernel_sigaction replaced;
    int error = rt_sigaction(NULL, &found);
    if (error || found.handler == (uintptr_t)ask_handler)
        return error;
    bool first = atomic_load(&table->below) == PREVIOUS_UNSET;
    publish(table, first, &found);
    struct kernel_sigaction ours = ours_instead_of(&found);
    error = rt_sigaction(&ours, &replaced);
    if (error || replaced.handler == found.handler || replaced.handler == (uintptr_t)ask_handler)
        return error;
    publish(table, first, &replaced); /* it was changed between the two calls */
    ours = ours_instead_of(&replaced);
    return rt_sigaction(&ours, NULL);
}
