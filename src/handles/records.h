/* records.h: the live handles of a shard, by linear hashing. Private to handles/.
 *
 * Buckets 0 to bucket_count - 1 are heads of lists of records. There are as many as there were ever
 * records, and nearly twice as many where those are more than the caches hold, as each look at
 * one costs a miss there. For a record more, the next bucket or two in turn are split in two, so
 * the table grows by a step with each insertion and never in one go (Larson, "Dynamic Hash
 * Tables", 1988). A bucket's number is the low bits of the hash, one bit less where that bucket
 * has not been split off yet. Buckets lie in segments: the first in the shard, each of the others
 * as large as all before it. All of it under the shard's lock. */
#ifndef SNAG_HANDLES_RECORDS_H
#define SNAG_HANDLES_RECORDS_H

#include "handles/shard.h"

#define RECORDS_FEW 4096u

HOT uint64_t buckets_wanted(uint64_t live)
{
    return live <= RECORDS_FEW ? live : 2 * live - RECORDS_FEW;
}

/* Splits the next two buckets in turn, or one where that will do. Without memory the lists get
 * longer. */
void records_grow(struct shard *shard);

/* The finalizer of MurmurHash3, by Appleby: each bit of HANDLE changes half of the bits. */
HOT uint64_t handle_hash(uint64_t handle)
{
    handle ^= handle >> 33;
    handle *= UINT64_C(0xff51afd7ed558ccd);
    handle ^= handle >> 33;
    handle *= UINT64_C(0xc4ceb9fe1a85ec53);
    return handle ^ handle >> 33;
}

HOT unsigned segment_of(uint32_t bucket)
{
    return 31u - (unsigned)__builtin_clz(bucket | (BUCKETS_FIRST - 1)) - 4u;
}

_Static_assert(BUCKETS_FIRST == 32, "the 4 in segment_of is its logarithm less one");

HOT uint32_t *bucket_at(const struct shard *shard, uint32_t bucket)
{
    return (uint32_t *)(uintptr_t)(shard->segments[segment_of(bucket)] +
                                   bucket * (uint64_t)sizeof(uint32_t));
}

HOT uint32_t bucket_of(const struct shard *shard, uint64_t hash)
{
    uint32_t mask = (uint32_t)shard->seen.private[SHARD_BUCKET_MASK];
    uint32_t bucket = (uint32_t)hash & mask;
    return bucket < shard->seen.bucket_count ? bucket : bucket & mask >> 1;
}

/* The bucket that HASH leads to now, without the lock: the address may be wrong, and is for
 * fetching it ahead alone. */
HOT const void *bucket_expected(struct shard *shard, uint64_t hash)
{
    uint64_t mask = __atomic_load_n(&shard->seen.private[SHARD_BUCKET_MASK], __ATOMIC_RELAXED);
    uint32_t bucket = (uint32_t)(hash & mask);
    if (bucket >= __atomic_load_n(&shard->seen.bucket_count, __ATOMIC_RELAXED))
        bucket &= mask >> 1;
    uint64_t base = __atomic_load_n(&shard->segments[segment_of(bucket)], __ATOMIC_RELAXED);
    return (const void *)(uintptr_t)(base + bucket * (uint64_t)sizeof(uint32_t));
}

/* Where the number of HANDLE's record stands: in its bucket or in a record before it; where there
 * is 0, it is not live, and that is the end of the list. */
HOT uint32_t *record_find(const struct shard *shard, uint64_t hash, uint64_t handle)
{
    uint32_t *link = bucket_at(shard, bucket_of(shard, hash));
    while (*link != 0) {
        struct handle_record *record = record_at(&shard->seen.records, *link);
        if (record->handle == handle)
            break;
        link = &record->next;
    }
    return link;
}

#endif
