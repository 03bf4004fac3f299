/* tracking_guests.h: stacks through libraries that may be gone. Private to sources/stack_pool.c. */
#ifndef SNAG_SOURCES_TRACKING_GUESTS_H
#define SNAG_SOURCES_TRACKING_GUESTS_H

#include "stacks/pool.h"

#include <stdint.h>

struct modules;

/* For each guest of the pool, what is to be added to an address in it: 0 while
 * it is mapped where it was, or is not known. */
struct guest_shifts {
    uint64_t by_number[POOL_GUESTS + 1];
};

/* Looks whether the COUNT guests in LIST, numbered from 1, are still there; those that are not get
 * a module and addresses of their own, for good. */
void guests_look(struct guest_shifts *shifts, struct modules *modules, struct stack_guest *list,
                 uint32_t count);

/* FRAME, of the pool, as in base/stack.h. */
uint64_t guests_frame(const struct guest_shifts *shifts, uint64_t frame);

#endif
