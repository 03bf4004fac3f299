/* reach.h: what of the stack may be read. Private to stacks/.
 *
 * A walk reads above the stack pointer only what is proven to be mapped, so a
 * corrupt frame is the end of the walk and never a fault. */
#ifndef SNAG_STACKS_REACH_H
#define SNAG_STACKS_REACH_H

#include <stdbool.h>
#include <stdint.h>

/* Readable memory from `low` to `high`, whole pages. */
struct reach {
    uintptr_t low;
    uintptr_t high;
};

/* What is known of the stack that the calling thread is on, SP being its stack pointer. */
struct reach reach_begin(uintptr_t sp);

/* Has REACH hold the word at ADDRESS, wherever it is; false when it cannot be read. */
bool reach_extend(struct reach *reach, uintptr_t address);

#endif
