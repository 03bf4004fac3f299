/* wrong_removes.c: removes of what was not live.
 *
 * All are counted. The first different stacks that did so are kept: a place in the list belongs to
 * the stack that was first written in it, so that no stack comes twice. */
#include "handles/inventory.h"
#include "stacks/stacks.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fill(struct handle_wrong_remove *kept, uint64_t handle)
{
    atomic_store_explicit(&kept->handle, handle, memory_order_relaxed);
    atomic_store_explicit(&kept->time_ns, coarse_now_ns(), memory_order_relaxed);
    atomic_store_explicit(&kept->tid, (int32_t)syscall(SYS_gettid), memory_order_relaxed);
    /* release: a reader that finds it ready finds all of it */
    atomic_store_explicit(&kept->ready, 1, memory_order_release);
}

__attribute__((noinline, cold)) void wrong_remove_add(struct inventory *inventory, uint64_t handle,
                                                      const void *frame)
{
    uint32_t stack = stack_number(frame, 0);
    atomic_fetch_add_explicit(&inventory->wrong_removes, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < WRONG_REMOVES_MAX; i++) {
        struct handle_wrong_remove *kept = &inventory->wrong_remove[i];
        uint32_t there = 0;
        bool is_new = atomic_compare_exchange_strong(&kept->stack, &there, stack);
        if (!is_new && there != stack)
            continue;
        atomic_fetch_add_explicit(&kept->times, 1, memory_order_relaxed);
        if (is_new) {
            atomic_fetch_add_explicit(&inventory->wrong_remove_count, 1, memory_order_release);
            fill(kept, handle);
        }
        return;
    }
}
