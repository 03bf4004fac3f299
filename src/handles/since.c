/* since.c: whether handles came and stayed, for leak checks; see handles.h.
 *
 * Walks every record of every shard, one shard's lock at a time. */
#include "handles/handles.h"
#include "handles/inventory.h"

bool handles_exist(void)
{
    const struct handle_root *root = handle_root_of_process();
    return atomic_load_explicit(&root->count, memory_order_acquire) > 0;
}

static bool record_since(const struct handle_slab *slab, uint64_t time_ns)
{
    const uint64_t *directory = (const uint64_t *)(uintptr_t)slab->directory;
    for (uint32_t i = 0; i < slab->count; i++) {
        const struct handle_record *chunk =
            (const struct handle_record *)(uintptr_t)directory[i / SLAB_CHUNK];
        const struct handle_record *record = &chunk[i % SLAB_CHUNK];
        if (record->holder != 0 && record->time_ns >= time_ns)
            return true;
    }
    return false;
}

static bool inventory_since(const struct inventory *inventory, uint64_t time_ns)
{
    bool found = false;
    for (uint32_t i = 0; i < inventory->shard_count && !found; i++) {
        struct shard *shard = inventory_shard(inventory, i);
        if (!shard_enter(shard))
            return false;
        found = record_since(&shard->seen.records, time_ns);
        shard_leave(shard);
    }
    return found;
}

bool handles_since(uint64_t time_ns)
{
    const struct handle_root *root = handle_root_of_process();
    uint32_t count = atomic_load_explicit(&root->count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t inventory = atomic_load_explicit(&root->inventories[i], memory_order_acquire);
        if (inventory_since((const struct inventory *)(uintptr_t)inventory, time_ns))
            return true;
    }
    return false;
}
