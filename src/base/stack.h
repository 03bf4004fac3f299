/* stack.h: what is handed from capture to unwind, and from unwind on.
 *
 * A stack copy is a thread's registers and the bytes above its stack pointer,
 * taken while the thread could not run. A frame is one 64-bit word: a code
 * address, with FRAME_EXACT set where the address is the instruction itself
 * (innermost frame, frame interrupted by a signal) and not a return address. */
#ifndef SNAG_BASE_STACK_H
#define SNAG_BASE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The callee-saved registers of the x86-64 ABI, which unwinding may need. */
enum saved_register {
    SAVED_RBX,
    SAVED_RBP,
    SAVED_R12,
    SAVED_R13,
    SAVED_R14,
    SAVED_R15,
    SAVED_COUNT
};

struct registers {
    uint64_t ip;
    uint64_t sp;
    uint64_t saved[SAVED_COUNT];
    unsigned known; /* bit 1<<SAVED_x: that value is known; procfs tells none of them */
};

struct stack_copy {
    struct registers registers;
    uint64_t low;         /* address of bytes[0]; 128 below sp, the red zone */
    size_t length;        /* bytes copied */
    unsigned char *bytes; /* owned by whoever captured */
    bool live;            /* the thread has not moved: what lies outside the copy may be read from
                             the target, if its stillness is proven again afterwards */
};

#define FRAME_EXACT (UINT64_C(1) << 63)
#define FRAMES_MAX 512 /* deeper stacks are cut there and marked partial */

/* The address as it stood in the register or on the stack. */
static inline uint64_t frame_address(uint64_t frame)
{
    return frame & ~FRAME_EXACT;
}

/* The address to look names up by: a return address minus one is inside the
 * call, so that the line shown is the call's and not the one after. */
static inline uint64_t frame_lookup(uint64_t frame)
{
    return frame & FRAME_EXACT ? frame & ~FRAME_EXACT : frame - 1;
}

#endif
