/* step_table.h: steps by frame word, for all threads. Private to stacks/. */
#ifndef SNAG_STACKS_STEP_TABLE_H
#define SNAG_STACKS_STEP_TABLE_H

#include <stdatomic.h>
#include <stdint.h>

#define FIRST_SLOTS_BITS 13 /* 8 Ki slots: 128 KiB, of which only touched pages are there */
#define LEVEL_BITS 3        /* each further level has 8 times as many */
#define LEVELS 4

struct step_slot {
    _Atomic uint64_t frame; /* 0: free */
    _Atomic uint64_t step;  /* 0: being written */
};

struct step_level {
    _Atomic(struct step_slot *) slots;
    _Atomic uint32_t count;
};

extern struct step_level step_levels[LEVELS];
extern struct step_slot step_first_slots[UINT32_C(1) << FIRST_SLOTS_BITS];

/* Each step of a walk waits for this, so it is two operations and no multiplication: return
 * addresses are spread well enough. */
static inline uint32_t step_slot_of(uint64_t frame, unsigned level)
{
    unsigned bits = FIRST_SLOTS_BITS + level * LEVEL_BITS;
    return (uint32_t)(frame ^ frame >> bits) & ((UINT32_C(1) << bits) - 1);
}

/* Looks where step_find did not find FRAME at once. */
uint64_t step_find_on(uint64_t frame);

/* The step kept for FRAME, or 0. */
static inline uint64_t step_find(uint64_t frame)
{
    struct step_slot *slot = &step_first_slots[step_slot_of(frame, 0)];
    if (atomic_load_explicit(&slot->frame, memory_order_relaxed) != frame)
        return step_find_on(frame);
    /* acquire: a step may be the number of something that was written before it */
    return atomic_load_explicit(&slot->step, memory_order_acquire);
}

/* Keeps STEP for FRAME, in place of another one if there was one. Does nothing when there is no
 * room. */
void step_keep(uint64_t frame, uint64_t step);

#endif
