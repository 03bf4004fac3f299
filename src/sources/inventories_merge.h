/* inventories_merge.h: holders of handles, put together from the shards that each has a part of.
 * Private to sources/inventories*. */
#ifndef SNAG_SOURCES_INVENTORIES_MERGE_H
#define SNAG_SOURCES_INVENTORIES_MERGE_H

#include "base/hash_index.h"
#include "handles/layout.h"
#include "sources/inventories.h"
#include "sources/inventories_shard.h"

/* What was read of a shard: all but its records. */
struct shard_copy {
    struct handle_shard head;
    struct slab_copy holders;
    struct slab_copy cohorts;
};

struct merged_holder {
    uint32_t stack;
    uint32_t labels;
    uint32_t oldest_count;
    uint64_t count;
    uint64_t age_sum_ms;
    uint64_t bytes;
    uint64_t oldest_least_ns;
    uint64_t oldest_most_ns;
    uint64_t since_count; /* as `since_count` of a holding */
    uint64_t since_bytes;
    struct age_bucket ages[AGE_BUCKETS_MAX];
    struct old_handle oldest[OLDEST_HANDLES]; /* oldest first */
};

/* The holders of one inventory. */
struct merged {
    struct arena *arena;
    uint64_t now_ns;   /* CLOCK_MONOTONIC: ages are to this moment, of what came later 0 */
    uint64_t since_ns; /* records of before are not looked at */
    struct merged_holder *holders;
    size_t count;
    size_t capacity;
    struct hash_index index; /* by stack and labels */
};

/* Adds what SHARD has. False without memory. */
bool merge_shard(struct merged *merged, const struct shard_copy *shard);

/* The one of that stack and these labels, HASH_NONE when there is none. */
uint32_t merged_find(const struct merged *merged, uint32_t stack, uint32_t labels);

/* Looks through the records of the shard at ADDRESS for the oldest of each holder; SHARD is
 * overwritten, RECORDS is room. False when that cannot be had. */
bool merge_oldest(struct merged *merged, struct shard_reader *reader, uint64_t address,
                  struct shard_copy *shard, struct slab_copy *records);

#endif
