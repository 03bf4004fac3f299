/* stacks.h: the calling thread's own stack, and a number for it.
 *
 * What tracking and the inventories of handles stand on: who opened this, who
 * holds that. A stack is walked in tens of nanoseconds and kept once, however
 * often it comes, so that a record of it is one 32-bit number.
 *
 *     stack_here    the return addresses, by the unwind tables (here.c)
 *     stack_number  the same, kept in the pool (pool.c)
 *
 * Everything here may be called from any thread and from a signal handler, takes no
 * lock, calls no malloc, and leaves errno as it was. It runs in the service
 * itself: this folder is part of libsnag, not of the engine. */
#ifndef SNAG_STACKS_STACKS_H
#define SNAG_STACKS_STACKS_H

#include <stddef.h>
#include <stdint.h>

struct stack_pool;

#define STACK_FRAMES_MAX 128 /* of stack_number; deeper stacks are cut there */

/* How the list of frames ended. */
enum stack_end {
    STACK_WHOLE,        /* at the thread's outermost frame */
    STACK_DEEPER,       /* there was no room for more */
    STACK_NO_TABLE,     /* at code without an unwind table (JIT code, old assembly) */
    STACK_NOT_FOLLOWED, /* at a row of a table that is not understood, or hangs on a register that
                           this walk does not follow */
    STACK_CORRUPT,      /* at what cannot be a frame */
    STACK_AT_ZERO,      /* at a return address of 0, as some make their first frame */
    STACK_ENDS
};

/* In words ("code without unwind table"), NULL for STACK_WHOLE. A constant. */
const char *stack_end_words(enum stack_end end);

/* A stack as it was walked. `frames` as in base/stack.h, innermost first. */
struct stack_walk {
    size_t count;
    enum stack_end end;
    uint32_t hash; /* of the frames */
};

/* The frame of the function that this stands in, for the calls below: the
 * stack that they take begins with that function's caller. It keeps a frame
 * pointer for this. */
#define STACK_FRAME ((const void *)__builtin_frame_address(0))

/* Fills FRAMES with at most MAX frames of the calling thread, from the caller of the function that
 * FRAME is of. SKIP of them are left out. */
struct stack_walk stack_here(const void *frame, unsigned skip, uint64_t *frames, size_t max);

/* The number of that stack: equal stacks have equal numbers. Never 0;
 * STACK_OTHER when the pool is full (see pool.h). */
uint32_t stack_number(const void *frame, unsigned skip);

/* The pool of this process, for those who publish where it is; made at the first use. NULL
 * without memory. */
const struct stack_pool *stack_pool_of_process(void);

#endif
