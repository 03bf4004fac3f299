/* wrapped.c: handles of kinds that are made and ended elsewhere too; see snag/wrap/wrap.h.
 *
 * A FILE * may come from a library and end here, or come from here and end there, and its address
 * be given out again. So a remove of what is not live is no mistake, and what comes is new even if
 * its address is known: who holds it is who made it last. */
#include "handles/inventory.h"
#include "handles/records.h"

#include <snag/wrap/wrap.h>

#include <stdbool.h>
#include <stddef.h>

/* NULL where no inventory can be. */
static struct inventory *known_here(snag_profile **here, const char *name)
{
    /* acquire: the inventory was whole before it was written there */
    struct inventory *inventory = inventory_of(__atomic_load_n(here, __ATOMIC_ACQUIRE));
    if (!inventory)
        inventory = inventory_here(here, name);
    return inventory == &inventory_nowhere ? NULL : inventory;
}

/* False, too, for a signal handler that came amid a call. */
static bool is_live(const struct inventory *inventory, const void *handle)
{
    uint64_t hash = handle_hash((uintptr_t)handle);
    struct shard *shard =
        inventory_shard(inventory, (uint32_t)(hash >> 32) & (inventory->shard_count - 1));
    if (!shard_enter(shard))
        return false;
    bool live = *record_find(shard, hash, (uintptr_t)handle) != 0;
    shard_leave(shard);
    return live;
}

int snag_wrap_ended(snag_profile **here, const char *name, const void *handle)
{
    struct inventory *inventory = known_here(here, name);
    if (!inventory || !is_live(inventory, handle))
        return 0;
    return snag_profile_remove((snag_profile *)inventory, handle) == 0;
}

#define OWN_FRAME_AND_CALLER 2

void snag_wrap_made(snag_profile **here, const char *name, const void *handle, size_t bytes)
{
    struct inventory *inventory = known_here(here, name);
    if (!inventory)
        return;
    if (is_live(inventory, handle))
        snag_profile_remove((snag_profile *)inventory, handle);
    snag_profile_add((snag_profile *)inventory, handle, bytes, OWN_FRAME_AND_CALLER);
    __asm__ volatile(""); /* the call is not the last act: this frame is there to be left out */
}
