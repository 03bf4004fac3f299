/* here.c: the calling thread's stack, frame after frame; see stacks.h.
 *
 * In the thread itself all registers are at hand, so a frame needs three things only:
 * how far it is to the caller's stack pointer, where the frame pointer was
 * saved, and the return address. Those are the same for a code address each
 * time (step.h). A return address must lie in code that has a table, every
 * frame must lie above its callee, and nothing is read that is not proven to be there
 * (reach.h): a corrupt stack ends the walk. */
#include "stacks/here.h"

#include "base/stack.h"
#include "stacks/pool.h"
#include "stacks/reach.h"
#include "stacks/step.h"
#include "stacks/step_table.h"

#define OWN_FRAMES_MAX 16 /* between this function and the caller that was named */

/* The sanitizers would take the reading of other frames for a bug. */
#define UNCHECKED __attribute__((no_sanitize("address", "thread", "undefined")))

/* A frame on the way. */
struct place {
    uint64_t frame; /* as in base/stack.h */
    uint64_t sp;
    uint64_t bp;
    bool bp_known;
};

UNCHECKED static __attribute__((noinline, cold)) bool extend(struct reach *reach, uint64_t address)
{
    return reach_extend(reach, (uintptr_t)address);
}

UNCHECKED static inline __attribute__((always_inline)) bool load(struct reach *reach,
                                                                 uint64_t address, uint64_t *word)
{
    if (__builtin_expect(address - reach->low > reach->high - reach->low - sizeof *word, 0) &&
        !extend(reach, address))
        return false;
    *word = *(const volatile uint64_t *)(uintptr_t)address;
    return true;
}

/* The usual frame. */
UNCHECKED static inline __attribute__((always_inline)) enum stack_end
step_plain(struct place *at, uint64_t step, struct reach *reach)
{
    uint64_t cfa = (step_from_bp(step) ? at->bp : at->sp) + (uint64_t)step_distance(step);
    uint64_t caller;
    if (step_from_bp(step) && !at->bp_known)
        return STACK_NOT_FOLLOWED;
    if (cfa <= at->sp || !load(reach, cfa - sizeof caller, &caller))
        return STACK_CORRUPT;
    if (step_bp(step) == STEP_BP_SAVED) {
        uint64_t bp;
        if (!load(reach, cfa + (uint64_t)step_bp_place(step), &bp))
            return STACK_CORRUPT;
        at->bp = bp;
        at->bp_known = true;
    } else if (step_bp(step) == STEP_BP_LOST) {
        at->bp_known = false;
    }
    at->sp = cfa;
    at->frame = caller;
    return STACK_WHOLE;
}

UNCHECKED static bool value_of(const struct place *at, const struct cfi_place *place, uint64_t cfa,
                               struct reach *reach, uint64_t *value)
{
    if (place->base == CFI_BP && !at->bp_known)
        return false;
    *value = place->base == CFI_CFA ? cfa : place->base == CFI_BP ? at->bp : at->sp;
    *value += (uint64_t)(int64_t)place->offset;
    if (place->how == CFI_AT) {
        if (!load(reach, *value, value))
            return false;
        *value += (uint64_t)(int64_t)place->add;
    }
    return true;
}

/* A frame whose row is kept in full. */
UNCHECKED static enum stack_end step_wide(struct place *at, uint64_t step, struct reach *reach)
{
    const struct cfi_row *row = step_row(step);
    struct place caller = { .bp = at->bp, .bp_known = at->bp_known };
    if (!value_of(at, &row->cfa, 0, reach, &caller.sp) ||
        !value_of(at, &row->caller, caller.sp, reach, &caller.frame))
        return STACK_CORRUPT;
    if (caller.sp <= at->sp && !row->signal) /* a handler may run on a stack of its own */
        return STACK_CORRUPT;
    if (row->bp.how == CFI_AT || row->bp.how == CFI_VALUE)
        caller.bp_known = value_of(at, &row->bp, caller.sp, reach, &caller.bp);
    else if (row->bp.how != CFI_SAME)
        caller.bp_known = false;
    if (row->signal)
        caller.frame |= FRAME_EXACT;
    *at = caller;
    return STACK_WHOLE;
}

/* Every other frame. *GOING is cleared at the outermost one. */
UNCHECKED static enum stack_end step_other(struct place *at, uint64_t step, struct reach *reach,
                                           bool *going)
{
    *going = step_kind(step) == STEP_WIDE;
    switch (step_kind(step)) {
    case STEP_WIDE: return step_wide(at, step, reach);
    case STEP_OUTERMOST: return STACK_WHOLE;
    case STEP_NO_TABLE: return STACK_NO_TABLE;
    default: return STACK_NOT_FOLLOWED;
    }
}

/* The registers as they are in the function that this is inlined into. */
UNCHECKED static inline __attribute__((always_inline)) struct place place_here(void)
{
    struct place at = { .bp_known = true };
#if defined(__x86_64__)
    __asm__ volatile("movq %%rbp, %0\n\t"
                     "leaq 0(%%rip), %1\n\t"
                     "movq %%rsp, %2"
                     : "=&r"(at.bp), "=&r"(at.frame), "=&r"(at.sp));
    at.frame |= FRAME_EXACT;
#endif
    return at;
}

/* *FRAME gets the guest's number, if it is a guest's. */
UNCHECKED static inline uint64_t step_of(uint64_t *frame)
{
    uint32_t guest = GUEST_NONE;
    uint64_t step = step_find(*frame);
    if (step == 0)
        step = step_learn(*frame);
    if (step_kind(step) == STEP_GUEST) {
        step = step_of_guest(*frame, step, &guest);
        *frame |= (uint64_t)guest << FRAME_GUEST_SHIFT;
    }
    return step;
}

UNCHECKED struct stack_walk walk_here(const void *caller, unsigned skip, uint64_t *frames,
                                      size_t max)
{
    const uint64_t first = (uintptr_t)caller;
    struct place at = place_here();
    struct reach reach = reach_begin((uintptr_t)at.sp);
    enum stack_end end = STACK_WHOLE;
    size_t count = 0;
    unsigned before = 0;
    bool found = false;
    bool going = true;
    while (going && end == STACK_WHOLE && frame_address(at.frame) != 0) {
        uint64_t frame = at.frame;
        uint64_t step = step_of(&frame);
        found = found || at.frame == first || ++before > OWN_FRAMES_MAX;
        if (found && skip > 0) {
            skip--;
        } else if (found) {
            if (count == max) {
                end = STACK_DEEPER;
                break;
            }
            frames[count++] = step_is_exact(step) ? frame | FRAME_EXACT : frame;
        }
        if (step_kind(step) == STEP_PLAIN) {
            end = step_plain(&at, step, &reach);
        } else {
            struct place copy = at; /* `at` itself stays in registers */
            end = step_other(&copy, step, &reach, &going);
            at = copy;
        }
    }
    if (going && end == STACK_WHOLE)
        end = STACK_AT_ZERO;
    if (!found && max > 0) /* the caller is known, whatever the tables say */
        frames[count++] = first;
    return (struct stack_walk){ .count = count, .end = end };
}

struct stack_walk stack_here(const void *caller, unsigned skip, uint64_t *frames, size_t max)
{
    struct stack_walk walk =
        walk_here(caller ? caller : __builtin_return_address(0), skip, frames, max);
    for (size_t i = 0; i < walk.count; i++)
        frames[i] &= ~(FRAME_GUEST_MASK << FRAME_GUEST_SHIFT);
    return walk;
}
