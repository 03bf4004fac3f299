/* step_table.c: steps by frame word; see step_table.h.
 *
 * Open addressing; a slot is claimed by compare-and-swap of its frame, and its
 * step is stored after that, so a reader sees no step or the right one. Nothing
 * is moved or taken out: when a level is three quarters full, what comes later goes to a
 * larger one, and look-ups try one after the other. A thread that was
 * interrupted between claim and store leaves a slot without a step, which the
 * next one to learn that frame fills. */
#include "stacks/step_table.h"

#include "stacks/step.h"

#include <stdbool.h>
#include <sys/mman.h>

struct step_slot step_first_slots[UINT32_C(1) << FIRST_SLOTS_BITS];

struct step_level step_levels[LEVELS] = { { step_first_slots, 0 } };

static uint32_t slots_of(unsigned level)
{
    return UINT32_C(1) << (FIRST_SLOTS_BITS + level * LEVEL_BITS);
}

/* The slot of FRAME at LEVEL, or the free one where it would be. */
static struct step_slot *probe(struct step_slot *slots, unsigned level, uint64_t frame,
                               uint64_t *found)
{
    uint32_t mask = slots_of(level) - 1;
    for (uint32_t at = step_slot_of(frame, level);; at = (at + 1) & mask) {
        *found = atomic_load_explicit(&slots[at].frame, memory_order_relaxed);
        if (*found == frame || *found == 0)
            return &slots[at];
    }
}

uint64_t step_find_on(uint64_t frame)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        struct step_slot *slots =
            atomic_load_explicit(&step_levels[level].slots, memory_order_acquire);
        if (!slots)
            return 0;
        uint64_t found;
        struct step_slot *slot = probe(slots, level, frame, &found);
        if (found == frame)
            return atomic_load_explicit(&slot->step, memory_order_acquire);
    }
    return 0;
}

/* The slots of LEVEL, made if need be; NULL when there is no memory. */
static struct step_slot *open_level(unsigned level)
{
    struct step_slot *slots = atomic_load_explicit(&step_levels[level].slots, memory_order_acquire);
    if (slots)
        return slots;
    size_t size = slots_of(level) * sizeof *slots;
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    if (atomic_compare_exchange_strong(&step_levels[level].slots, &slots, made))
        return made;
    munmap(made, size); /* another thread was first */
    return slots;
}

/* False when the level has no room for a new frame. */
static bool keep_in(unsigned level, struct step_slot *slots, uint64_t frame, uint64_t step)
{
    for (;;) {
        uint64_t found;
        struct step_slot *slot = probe(slots, level, frame, &found);
        if (found == frame) {
            atomic_store_explicit(&slot->step, step, memory_order_release);
            return true;
        }
        if (atomic_load_explicit(&step_levels[level].count, memory_order_relaxed) >=
            slots_of(level) / 4 * 3)
            return false;
        if (atomic_compare_exchange_strong(&slot->frame, &found, frame)) {
            atomic_fetch_add_explicit(&step_levels[level].count, 1, memory_order_relaxed);
            atomic_store_explicit(&slot->step, step, memory_order_release);
            return true;
        }
    }
}

void step_keep(uint64_t frame, uint64_t step)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        struct step_slot *slots = open_level(level);
        if (!slots || keep_in(level, slots, frame, step))
            return;
    }
}
