/* reach.h: what of the stack may be read. Private to stacks/.
 *
 * A walk reads above the stack pointer only what is proven to be mapped, so a
 * corrupt frame is the end of the walk and never a fault. */
#ifndef SNAG_STACKS_REACH_H
#define SNAG_STACKS_REACH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REACH_PAGE ((uintptr_t)4096)
#define REACH_COUNT_BITS 20

/* Readable memory from `low` to `high`, whole pages. */
struct reach {
    uintptr_t low;
    uintptr_t high;
};

/* What is known of the stack that the calling thread is on, SP being its stack pointer. */
struct reach reach_begin(uintptr_t sp);

/* The calling thread's range as it is kept: the first page's number above the count of pages. */
extern _Thread_local _Atomic uint64_t reach_known __attribute__((tls_model("initial-exec")));

/* How many bytes from ADDRESS on are known to be readable, without a look. */
static inline uint64_t reach_known_above(uintptr_t address)
{
    uint64_t word = atomic_load_explicit(&reach_known, memory_order_relaxed);
    uint64_t low = (word >> REACH_COUNT_BITS) * REACH_PAGE;
    uint64_t size = (word & ((UINT64_C(1) << REACH_COUNT_BITS) - 1)) * REACH_PAGE;
    return address - low < size ? size - (address - low) : 0;
}

/* Has REACH hold the word at ADDRESS, wherever it is; false when it cannot be read. */
bool reach_extend(struct reach *reach, uintptr_t address);

#endif
