/* unwind.h: from a copied stack to the list of its frames.
 *
 * The unwinder walks the copy by the modules' unwind tables. libunwind reads
 * the tables; each row it has read is kept, so the next stack through the same
 * return address costs a table look-up. Where a frame hangs on a register that procfs does
 * not tell (frame pointers), its value is recovered from the stack and
 * believed only if unwinding on from it reaches the thread's outermost frame. */
#ifndef SNAG_UNWIND_UNWIND_H
#define SNAG_UNWIND_UNWIND_H

#include "base/stack.h"

#include <stdbool.h>

struct target;
struct modules;

struct stack_trace {
    uint64_t frames[FRAMES_MAX]; /* innermost first; see base/stack.h */
    uint64_t
        sps[FRAMES_MAX]; /* the stack pointer in each: frame i's memory lies below sps[i + 1] */
    size_t count;
    const char *partial; /* NULL when the outermost frame was reached by tables alone; else
                            why not, a constant phrase ("stack ends in unmapped memory") */
    bool ran_off;        /* stopped because the copy ends: a longer one may have the rest */
    bool read_outside;   /* a live copy, and frames lay elsewhere (another stack): to be believed
                            only if the thread is proven still after the walk */
};

struct unwinder;

/* An unwinder for stacks of TARGET, whose code MODULES lists; both must
 * outlive it. NULL without memory. */
struct unwinder *unwinder_new(struct target *target, struct modules *modules);
void unwinder_free(struct unwinder *unwinder);

/* Walks COPY. Always fills TRACE, with at least the innermost frame unless the
 * copy's ip is 0. Never loops, never faults, whatever the bytes. */
void unwind_stack(struct unwinder *unwinder, const struct stack_copy *copy,
                  struct stack_trace *trace);

/* The function that the call before RETURN_ADDRESS names, directly or through the PLT; what has
 * run since may be one that it jumped to. False: it names none, or there is no call. */
bool unwind_called(struct unwinder *unwinder, uint64_t return_address, uint64_t *function);

/* Where the function that ADDRESS is in begins; 0 unknown. */
uint64_t unwind_function(struct unwinder *unwinder, uint64_t address);

/* The functions that the one at FUNCTION may end in by a jump, through the PLT: at most SIZE in
 * TARGETS, and maybe some that it does not. */
size_t unwind_jumps(struct unwinder *unwinder, uint64_t function, uint64_t *targets, size_t size);

/* Forgets the rows learnt (the modules changed, or to give memory back). */
void unwinder_trim(struct unwinder *unwinder);

#endif
