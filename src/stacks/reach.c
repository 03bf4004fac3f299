/* reach.c: what of the stack may be read; see reach.h.
 *
 * Where a stack ends is not told in a signal handler, nor on the stack of a
 * coroutine. So pages are tried, once each: rt_sigprocmask looks at its new mask before it
 * refuses the impossible "how", and says EFAULT where there is nothing to read. What was found is
 * kept per thread, as one word, so that a handler in between sees one range or the other. A stack
 * in use is not unmapped; a coroutine's that was, and whose place a smaller one took, is the one
 * case in which the range may be too large, and only a corrupt frame would lead there: neither
 * a walk nor a memo (memo.c) goes beyond an outermost frame. */
#include "stacks/reach.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE REACH_PAGE
#define PAGES_MAX 4096 /* tried in a row: one frame may have 16 MiB of locals */
#define COUNT_BITS REACH_COUNT_BITS

_Thread_local _Atomic uint64_t reach_known __attribute__((tls_model("initial-exec")));

static bool is_readable(uintptr_t page)
{
    int before = errno;
    const int impossible = -1;
    long status = syscall(SYS_rt_sigprocmask, impossible, page, NULL, (size_t)8);
    bool readable = status == 0 || errno == EINVAL;
    errno = before;
    return readable;
}

static void keep(const struct reach *reach)
{
    uint64_t count = (reach->high - reach->low) / PAGE;
    if (count < UINT64_C(1) << COUNT_BITS)
        atomic_store_explicit(&reach_known, reach->low / PAGE << COUNT_BITS | count,
                              memory_order_relaxed);
}

struct reach reach_begin(uintptr_t sp)
{
    uint64_t word = atomic_load_explicit(&reach_known, memory_order_relaxed);
    struct reach reach;
    reach.low = (uintptr_t)(word >> COUNT_BITS) * PAGE;
    reach.high = reach.low + (uintptr_t)(word & ((UINT64_C(1) << COUNT_BITS) - 1)) * PAGE;
    if (sp >= reach.low && sp < reach.high)
        return reach;
    struct reach here = { sp & ~(PAGE - 1), (sp & ~(PAGE - 1)) + PAGE };
    if (sp < reach.low && reach.low - sp <= PAGES_MAX * PAGE) {
        while (here.high < reach.low && is_readable(here.high))
            here.high += PAGE;
        if (here.high == reach.low)
            here.high = reach.high;
    }
    keep(&here);
    return here;
}

bool reach_extend(struct reach *reach, uintptr_t address)
{
    uintptr_t last = address + sizeof(uint64_t) - 1;
    if (address >= reach->low && last < reach->high && last > address)
        return true;
    if (last < address || last >> 47 != 0)
        return false;
    struct reach grown = *reach;
    if (address < reach->low || last - reach->high >= PAGES_MAX * PAGE) {
        /* another stack: a signal handler's was left */
        grown.low = grown.high = address & ~(PAGE - 1);
    }
    while (grown.high <= last && is_readable(grown.high))
        grown.high += PAGE;
    if (grown.high <= last)
        return false;
    *reach = grown;
    keep(reach);
    return true;
}
