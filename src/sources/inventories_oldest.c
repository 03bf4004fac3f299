/* inventories_oldest.c: the oldest handles of each holder, from the records.
 *
 * Records are read some at a time, and the shard's lock is free in between: a big shard holds
 * nobody up. A holder's number may have become another one's meanwhile, so whenever the shard has
 * changed its holders are read again together with the records. */
#include "sources/inventories_merge.h"

#include "base/target.h"

#include <stdlib.h>

#define RECORDS_AT_ONCE (64 * SLAB_CHUNK)

struct batch {
    struct shard_reader *reader;
    uint64_t address;
    struct shard_copy *shard;
    struct slab_copy *records;
    uint32_t from;
    bool have_holders; /* of the version in shard->head */
    uint32_t *entries; /* by number of a holder: its place among the merged ones, HASH_NONE none,
                           or NOT_LOOKED_UP */
    uint32_t entry_count;
};

#define NOT_LOOKED_UP (HASH_NONE - 1)

static bool read_batch(void *context)
{
    struct batch *batch = context;
    struct target *target = batch->reader->target;
    struct handle_shard *head = &batch->shard->head;
    uint32_t version = atomic_load_explicit(&head->version, memory_order_relaxed);
    if (!target_read_all(target, batch->address, head, sizeof *head))
        return false;
    if (!batch->have_holders ||
        version != atomic_load_explicit(&head->version, memory_order_relaxed)) {
        batch->have_holders = slab_read(target, &head->holders, sizeof(struct handle_holder), 0,
                                        UINT32_MAX, &batch->shard->holders);
        batch->entry_count = 0;
        if (!batch->have_holders)
            return false;
    }
    return slab_read(target, &head->records, sizeof(struct handle_record), batch->from,
                     RECORDS_AT_ONCE, batch->records);
}

static bool is_listed(const struct merged_holder *holder, uint64_t handle)
{
    for (size_t i = 0; i < holder->oldest_count; i++)
        if (holder->oldest[i].handle == handle)
            return true;
    return false;
}

static void keep(struct merged_holder *holder, const struct handle_record *record, uint64_t now_ns)
{
    const struct old_handle handle = { record->handle, record->bytes, now_ns - record->time_ns };
    size_t at = holder->oldest_count;
    if (at == OLDEST_HANDLES && handle.age_ns <= holder->oldest[at - 1].age_ns)
        return;
    if (is_listed(holder, record->handle)) /* it ended and came again behind our back */
        return;
    if (at < OLDEST_HANDLES)
        holder->oldest_count++;
    else
        at--;
    for (; at > 0 && holder->oldest[at - 1].age_ns < handle.age_ns; at--)
        holder->oldest[at] = holder->oldest[at - 1];
    holder->oldest[at] = handle;
}

/* Nothing is known yet of the holders that were read. False without memory. */
static bool forget_entries(struct batch *batch)
{
    uint32_t count = batch->shard->holders.count;
    uint32_t *entries = realloc(batch->entries, (count + 1) * sizeof *entries);
    if (!entries)
        return false;
    for (uint32_t i = 0; i < count; i++)
        entries[i] = NOT_LOOKED_UP;
    batch->entries = entries;
    batch->entry_count = count;
    return true;
}

static void look_through(struct merged *merged, const struct batch *batch)
{
    const struct handle_record *records = batch->records->items;
    const struct handle_holder *holders = batch->shard->holders.items;
    for (uint32_t i = 0; i < batch->records->count; i++) {
        const struct handle_record *record = &records[i];
        uint32_t number = record->holder - 1; /* a free one has none */
        if (number >= batch->entry_count || record->time_ns > merged->now_ns ||
            record->time_ns < merged->since_ns)
            continue;
        uint32_t *entry = &batch->entries[number];
        if (*entry == NOT_LOOKED_UP)
            *entry = merged_find(merged, holders[number].stack, holders[number].labels);
        if (*entry == HASH_NONE)
            continue;
        merged->holders[*entry].since_count++;
        merged->holders[*entry].since_bytes += record->bytes;
        keep(&merged->holders[*entry], record, merged->now_ns);
    }
}

bool merge_oldest(struct merged *merged, struct shard_reader *reader, uint64_t address,
                  struct shard_copy *shard, struct slab_copy *records)
{
    struct batch batch = {
        .reader = reader, .address = address, .shard = shard, .records = records
    };
    bool good;
    do {
        good = shard_read(reader, address, read_batch, &batch) != SHARD_UNREADABLE &&
               (batch.entry_count > 0 || forget_entries(&batch));
        if (good)
            look_through(merged, &batch);
        batch.from += RECORDS_AT_ONCE;
    } while (good && batch.from < shard->head.records.count);
    free(batch.entries);
    return good;
}
