/* inventories_copy.h: an inventory as it is handed out, with frames and labels. Private to
 * sources/inventories*. */
#ifndef SNAG_SOURCES_INVENTORIES_COPY_H
#define SNAG_SOURCES_INVENTORIES_COPY_H

#include "sources/inventories_merge.h"

/* What is taken of an inventory while the service runs; stacks and labels are looked up when all
 * of it was read. */
struct taken_inventory {
    struct inventory inventory;
    struct merged merged;
};

struct inventory_copier {
    struct target *target;
    const struct pool_reader *pool;
    const struct labels *labels; /* may be NULL */
    struct arena *arena;         /* to which is copied */
    struct pooled_stack *stacks; /* by number, as far as they were copied; room for POOL_STACKS */
};

/* Fills TO from TAKEN, whose holders are put in order. False without memory. */
bool inventory_copy(struct inventory_copier *copier, struct taken_inventory *taken,
                    struct inventory_dump *to);

#endif
