/* step.h: how one frame is undone, in one word. Private to stacks/.
 *
 *   bits 0-2    enum step_kind
 *   3           the CFA counts from the frame pointer, not from the stack pointer
 *   4           the caller's frame pointer was saved, at the place below
 *   5           it is this frame's; with neither it is lost
 *   6           the address is the instruction itself, although it was not known to be: where a
 *               signal handler returns to, and where a context begins
 *   16-31       the frame pointer's place, from the CFA; signed; -8 when it was not saved, so that
 *               it may be read all the same
 *   32-63       the CFA's distance, signed; for the last two kinds a number
 *
 * The return address is just below the CFA. Places and distances are multiples of 8. What is not so
 * simple (signal frames, realigned stacks) is STEP_WIDE: a row in full. Code that may be unloaded
 * is STEP_GUEST: a word like these, and what it was read from, to see whether that is still there.
 */
#ifndef SNAG_STACKS_STEP_H
#define SNAG_STACKS_STEP_H

#include "stacks/cfi.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum step_kind {
    STEP_UNKNOWN, /* the word is being written */
    STEP_PLAIN,
    STEP_OUTERMOST,
    STEP_NO_TABLE,
    STEP_NOT_FOLLOWED,
    STEP_WIDE,
    STEP_GUEST
};

#define STEP_FROM_BP UINT64_C(8)
#define STEP_BP_SAVED UINT64_C(16)
#define STEP_BP_SAME UINT64_C(32)
#define STEP_EXACT UINT64_C(64)

/* All ones if BIT, one bit, is set in STEP: for choices without a branch. */
static inline uint64_t step_mask(uint64_t step, uint64_t bit)
{
    return (uint64_t)0 - (uint64_t)((step & bit) != 0);
}

static inline enum step_kind step_kind(uint64_t step)
{
    return (enum step_kind)(step & 7);
}

static inline int64_t step_bp_place(uint64_t step)
{
    return (int16_t)(step >> 16);
}

static inline int64_t step_distance(uint64_t step)
{
    return (int32_t)(step >> 32);
}

static inline uint32_t step_number(uint64_t step)
{
    return (uint32_t)(step >> 32);
}

/* The step for a frame word (an address, perhaps with FRAME_EXACT) that is not
 * in the table (step_table.h), learnt from the unwind tables and kept if it can be. Never 0. */
uint64_t step_learn(uint64_t frame);

/* The step behind a STEP_GUEST word, after a look whether the code is still the
 * same, and learnt anew if it is not. *GUEST is the number of the one whose code it is (pool.h).
 * Never 0, never STEP_GUEST. */
uint64_t step_of_guest(uint64_t frame, uint64_t step, uint32_t *guest);

/* The row of a STEP_WIDE word. */
const struct cfi_row *step_row(uint64_t step);

#endif
