/* since.c: whether handles came and stayed, for leak checks; see handles.h.
 *
 * Walks every record of every shard, one shard's lock at a time. */
#include "handles/handles.h"
#include "handles/layout.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

bool handles_exist(void)
{
    const struct handle_root *root = handle_root_of_process();
    return atomic_load_explicit(&root->count, memory_order_acquire) > 0;
}

static void shard_take(struct handle_shard *shard)
{
    uint32_t free = 0;
    /* acquire: what the last writer wrote comes before */
    while (!atomic_compare_exchange_weak_explicit(&shard->lock, &free, 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
        free = 0;
        sched_yield();
    }
}

static void shard_give(struct handle_shard *shard)
{
    if (atomic_exchange_explicit(&shard->lock, 0, memory_order_release) == 2)
        syscall(SYS_futex, &shard->lock, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
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
        struct handle_shard *shard =
            (struct handle_shard *)(uintptr_t)(inventory->shards +
                                               (uint64_t)i * inventory->shard_size);
        shard_take(shard);
        found = record_since(&shard->records, time_ns);
        shard_give(shard);
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
