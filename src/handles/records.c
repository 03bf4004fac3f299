/* records.c: how the table of handles grows; see records.h. */
#include "handles/records.h"

#include "handles/memory.h"

/* These are looked at without the lock, too (bucket_expected). */
static void set(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Sees to it that there is room for BUCKET, the next one. */
static bool segment_ready(struct shard *shard, uint32_t bucket)
{
    unsigned segment = segment_of(bucket);
    if (shard->segments[segment] != 0)
        return true;
    /* the first bucket of a segment is as many as there are in it */
    uint64_t size = bucket * (uint64_t)sizeof(uint32_t);
    void *made = memory_take(size);
    if (made)
        set(&shard->segments[segment], (uintptr_t)made - size);
    return made != NULL;
}

static void split(struct shard *shard)
{
    uint32_t made = shard->seen.bucket_count;
    if (made >= UINT32_MAX / 2 || !segment_ready(shard, made))
        return;
    uint32_t mask = (uint32_t)shard->seen.private[SHARD_BUCKET_MASK];
    if (made > mask)
        mask = mask * 2 + 1;
    uint32_t *stay = bucket_at(shard, made & mask >> 1);
    uint32_t *go = bucket_at(shard, made);
    uint32_t number = *stay;
    while (number != 0) {
        struct handle_record *record = record_at(&shard->seen.records, number);
        uint32_t **to = ((uint32_t)handle_hash(record->handle) & mask) == made ? &go : &stay;
        **to = number;
        *to = &record->next;
        number = record->next;
    }
    *stay = *go = 0;
    set(&shard->seen.private[SHARD_BUCKET_MASK], mask);
    __atomic_store_n(&shard->seen.bucket_count, made + 1, __ATOMIC_RELAXED);
}

__attribute__((noinline)) void records_grow(struct shard *shard)
{
    split(shard);
    if (shard->seen.bucket_count < buckets_wanted(shard->seen.live))
        split(shard);
}
