/* here.c: the calling thread's stack, frame after frame; see stacks.h.
 *
 * In the thread itself all registers are at hand, so a frame needs three
 * things only: how far it is to the caller's stack pointer, where the frame
 * pointer was saved, and the return address. Those are the same for a code
 * address each time (step.h). A return address must lie in code that has a
 * table, every frame must lie above its callee, and nothing is read that is not
 * proven to be there (reach.h): a corrupt stack ends the walk.
 *
 * Walks are taken right behind system calls, which leave the processor's predictions cold. So
 * the usual frame has hardly a branch that goes now this way, now that. */
#include "stacks/here.h"

#include "base/stack.h"
#include "stacks/memo.h"
#include "stacks/pool.h"
#include "stacks/reach.h"
#include "stacks/step.h"
#include "stacks/step_table.h"

/* The sanitizers would take the reading of other frames for a bug. */
#define UNCHECKED __attribute__((no_sanitize("address", "thread", "undefined")))
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* A frame on the way. */
struct place {
    uint64_t frame; /* as in base/stack.h */
    uint64_t sp;
    uint64_t bp; /* 0: not known */
};

UNCHECKED static inline uint64_t word_at(uint64_t address)
{
    return *(const volatile uint64_t *)(uintptr_t)address;
}

UNCHECKED static bool load(struct reach *reach, uint64_t address, uint64_t *word)
{
    if (!reach_extend(reach, (uintptr_t)address))
        return false;
    *word = word_at(address);
    return true;
}

UNCHECKED static bool value_of(const struct place *at, const struct cfi_place *place, uint64_t cfa,
                               struct reach *reach, uint64_t *value)
{
    if (place->base == CFI_BP && at->bp == 0)
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
    struct place caller = { .bp = at->bp };
    if (!value_of(at, &row->cfa, 0, reach, &caller.sp) ||
        !value_of(at, &row->caller, caller.sp, reach, &caller.frame))
        return STACK_CORRUPT;
    if (caller.sp <= at->sp && !row->signal) /* a handler may run on a stack of its own */
        return STACK_CORRUPT;
    bool elsewhere = row->bp.how != CFI_SAME && row->bp.how != CFI_AT && row->bp.how != CFI_VALUE;
    if (elsewhere ||
        (row->bp.how != CFI_SAME && !value_of(at, &row->bp, caller.sp, reach, &caller.bp)))
        caller.bp = 0;
    if (row->signal)
        caller.frame |= FRAME_EXACT;
    *at = caller;
    return STACK_WHOLE;
}

/* Sees to it that SP is within REACH, or at its end: what the usual frame relies on. */
UNCHECKED static bool contains(struct reach *reach, uint64_t sp)
{
    return (sp >= reach->low && sp <= reach->high) || reach_extend(reach, (uintptr_t)sp);
}

/* A frame that is not plain. *GOING is cleared at the outermost one. */
UNCHECKED static __attribute__((noinline)) enum stack_end
step_other(struct place *at, uint64_t step, struct reach *reach, bool *going)
{
    *going = step_kind(step) == STEP_WIDE;
    switch (step_kind(step)) {
    case STEP_WIDE: return step_wide(at, step, reach);
    case STEP_OUTERMOST: return STACK_WHOLE;
    case STEP_NO_TABLE: return STACK_NO_TABLE;
    default: return STACK_NOT_FOLLOWED;
    }
}

/* The usual frame led to CFA, and LOWEST is the least address to be read there: what is wrong with
 * that, if anything. */
UNCHECKED static __attribute__((noinline)) enum stack_end
reach_out(const struct place *at, uint64_t step, uint64_t cfa, uint64_t lowest, struct reach *reach)
{
    if ((step & STEP_FROM_BP) && at->bp == 0)
        return STACK_NOT_FOLLOWED;
    if (cfa <= at->sp || !reach_extend(reach, (uintptr_t)(cfa - sizeof(uint64_t))) ||
        !reach_extend(reach, (uintptr_t)lowest))
        return STACK_CORRUPT;
    return STACK_WHOLE;
}

/* A step, and what the frame's word gets beside its address. */
struct resolved {
    uint64_t step;
    uint64_t bits;
};

/* The step of a frame that is not in the table as a plain one. */
UNCHECKED static __attribute__((noinline)) struct resolved resolve(uint64_t frame, uint64_t step)
{
    uint32_t guest = GUEST_NONE;
    if (step == 0)
        step = step_learn(frame);
    if (step_kind(step) == STEP_GUEST)
        step = step_of_guest(frame, step, &guest);
    uint64_t exact = step & STEP_EXACT ? FRAME_EXACT : 0;
    return (struct resolved){ step, exact | (uint64_t)guest << FRAME_GUEST_SHIFT };
}

static inline uint64_t hash_on(uint64_t hash, uint64_t frame)
{
    hash = (hash ^ frame) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* The caller of the function whose frame begins with the record at START: there lie the caller's
 * frame pointer and the return address. */
UNCHECKED static struct place place_above(uint64_t start)
{
    return (struct place){
        .frame = word_at(start + 8),
        .sp = start + 16,
        .bp = word_at(start),
    };
}

/* Notes that the walk hangs on VALUE at ADDRESS; KIND goes with that. */
static inline __attribute__((always_inline)) void note(struct trail *trail, uint64_t address,
                                                       uint64_t value, uint64_t kind)
{
    uint32_t at = trail->count;
    if (UNLIKELY(at == TRAIL_WORDS)) {
        trail->firm = false;
        return;
    }
    trail->places[at] = (uint32_t)(address | kind);
    trail->values[at] = value;
    trail->count = at + 1;
}

/* Notes that a step which is none of the plain ones for ever, STEP in the table, was RESOLVED. */
static __attribute__((noinline)) void note_step(struct trail *trail, uint64_t step,
                                                struct resolved resolved)
{
    enum step_kind kind = step_kind(resolved.step);
    uint16_t guest = (uint16_t)(resolved.bits >> FRAME_GUEST_SHIFT & FRAME_GUEST_MASK);
    if (step == 0 || guest == GUEST_UNKNOWN || (kind != STEP_PLAIN && kind != STEP_OUTERMOST)) {
        trail->firm = false;
        return;
    }
    uint8_t at = 0;
    while (at < trail->guest_count && trail->guests[at] != guest)
        at++;
    if (guest == GUEST_NONE || at < trail->guest_count)
        return;
    if (at == TRAIL_GUESTS) {
        trail->firm = false;
        return;
    }
    trail->guests[at] = guest;
    trail->guest_count = at + 1;
}

static void finish(struct trail *trail, enum stack_end end, uint64_t sp)
{
    bool is_repeatable = end == STACK_WHOLE || end == STACK_DEEPER || end == STACK_AT_ZERO;
    if (!is_repeatable || sp - trail->start > UINT32_MAX / 2)
        trail->firm = false;
}

UNCHECKED static inline __attribute__((always_inline)) struct stack_walk
walk(uint64_t start, unsigned skip, uint64_t *frames, size_t max, struct trail *trail)
{
    struct place at = place_above(start);
    struct reach reach = reach_begin(start);
    enum stack_end end = contains(&reach, at.sp) ? STACK_WHOLE : STACK_CORRUPT;
    uint64_t bp_at = start; /* where at.bp was read */
    uint64_t hash = 0;
    size_t count = 0;
    if (trail) {
        trail->start = start;
        trail->count = 0;
        trail->guest_count = 0;
        trail->firm = true;
    }
    for (bool going = true; going && end == STACK_WHOLE;) {
        uint64_t frame = at.frame;
        uint64_t step = step_find(frame);
        if (trail)
            note(trail, at.sp - 8, frame, 0);
        if (UNLIKELY(step_kind(step) != STEP_PLAIN)) {
            if (frame_address(frame) == 0) {
                end = STACK_AT_ZERO;
                break;
            }
            struct resolved resolved = resolve(frame, step);
            if (trail)
                note_step(trail, step, resolved);
            step = resolved.step;
            frame |= resolved.bits;
        }
        if (UNLIKELY(skip > 0)) {
            skip--;
        } else if (UNLIKELY(count == max)) {
            end = STACK_DEEPER;
            break;
        } else {
            frames[count++] = frame;
            hash = hash_on(hash, frame);
        }
        if (UNLIKELY(step_kind(step) != STEP_PLAIN)) {
            struct place copy = at; /* `at` itself stays in registers */
            struct reach grown = reach;
            end = step_other(&copy, step, &grown, &going);
            at = copy;
            if (going && end == STACK_WHOLE && !contains(&grown, at.sp))
                end = STACK_CORRUPT;
            reach = grown;
            continue;
        }
        uint64_t cfa = at.sp + (uint64_t)step_distance(step);
        if (UNLIKELY(step & STEP_FROM_BP)) { /* a build has few of these, or hardly others */
            cfa = at.bp + (uint64_t)step_distance(step);
            if (trail) {
                note(trail, bp_at, at.bp, TRAIL_FRAME_POINTER);
                if (UNLIKELY(bp_at - start > UINT32_MAX / 2 || at.bp % sizeof(uint64_t) != 0))
                    trail->firm = false;
            }
        }
        uint64_t saved = cfa + (uint64_t)step_bp_place(step);
        if (UNLIKELY(cfa - at.sp - 1 >= reach.high - at.sp || saved < reach.low)) {
            struct place copy = at;
            struct reach grown = reach;
            end = reach_out(&copy, step, cfa, saved, &grown);
            reach = grown;
            if (end != STACK_WHOLE)
                break;
        }
        uint64_t bp = word_at(saved);
        at.frame = word_at(cfa - 8);
        at.sp = cfa;
        at.bp = (bp & step_mask(step, STEP_BP_SAVED)) | (at.bp & step_mask(step, STEP_BP_SAME));
        if (trail) {
            uint64_t was_saved = step_mask(step, STEP_BP_SAVED);
            bp_at = (saved & was_saved) | (bp_at & ~was_saved);
        }
    }
    if (trail)
        finish(trail, end, at.sp);
    return (struct stack_walk){ .count = count, .end = end, .hash = (uint32_t)(hash >> 16) };
}

UNCHECKED struct stack_walk walk_here(const void *record, unsigned skip, uint64_t *frames,
                                      size_t max, struct trail *trail)
{
    return walk((uintptr_t)record, skip, frames, max, trail);
}

UNCHECKED struct stack_walk stack_here(const void *record, unsigned skip, uint64_t *frames,
                                       size_t max)
{
    struct stack_walk walked = walk((uintptr_t)record, skip, frames, max, NULL);
    for (size_t i = 0; i < walked.count; i++)
        frames[i] &= ~(FRAME_GUEST_MASK << FRAME_GUEST_SHIFT);
    return walked;
}
