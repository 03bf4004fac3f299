/* inventory.h: what the public calls share. Private to handles/. */
#ifndef SNAG_HANDLES_INVENTORY_H
#define SNAG_HANDLES_INVENTORY_H

#include "handles/layout.h"
#include "handles/shard.h"

#include <snag/snag.h>

#include <stdint.h>

extern struct handle_root snag_handles_root;

/* What a snag_profile is. */
HOT struct inventory *inventory_of(const snag_profile *profile)
{
    return (struct inventory *)(uintptr_t)profile;
}

HOT struct shard *inventory_shard(const struct inventory *inventory, uint32_t index)
{
    return (struct shard *)(uintptr_t)(inventory->shards + (uint64_t)index * inventory->shard_size);
}

/* The inventory NAME, NULL if there is none. */
struct inventory *inventory_find(const char *name);

/* The same, made when there is none, for a place that asks by name each time; what cannot be is
 * said once there, and then HERE is inventory_nowhere. NULL: not this time. */
struct inventory *inventory_here(snag_profile **here, const char *name);

/* Stands where no inventory can be. */
extern struct inventory inventory_nowhere;

/* The inventory of a place; NULL: none. */
HOT struct inventory *known_here(snag_profile **here, const char *name)
{
    /* acquire: the inventory was whole before it was written there */
    struct inventory *inventory = inventory_of(__atomic_load_n(here, __ATOMIC_ACQUIRE));
    if (UNLIKELY(!inventory))
        inventory = inventory_here(here, name);
    return UNLIKELY(inventory == &inventory_nowhere) ? NULL : inventory;
}

/* As snag_profile_add with the stack of the function FRAME is of; but what was live under HANDLE
 * has ended where nobody saw it, and gives way. */
int inventory_renew(struct inventory *inventory, const void *handle, size_t bytes,
                    const void *frame, unsigned skip);

/* As snag_profile_remove; but what was not live is no mistake. */
int inventory_forget(struct inventory *inventory, const void *handle);

/* HANDLE was removed and was not live: it is counted, and the stack above FRAME kept. */
void wrong_remove_add(struct inventory *inventory, uint64_t handle, const void *frame);

/* CLOCK_MONOTONIC of the coarse clock. */
uint64_t coarse_now_ns(void);

/* Guards the making of inventories; only its lock is used. */
extern struct shard inventory_names;

/* Locks SHARD, which is new, for the calling thread, if that forks and so holds all others. */
void fork_joins(struct shard *shard);

#endif
