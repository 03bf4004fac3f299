/* inventories_merge.c: holders put together from shards; see inventories_merge.h.
 *
 * A handle's shard follows from its hash, so nearly every holder has a part in nearly every
 * shard. Sums of ages are in milliseconds: in nanoseconds, ten million handles have more than 64
 * bits hold within half an hour. */
#include "sources/inventories_merge.h"

#define SECOND UINT64_C(1000000000)

struct key {
    uint32_t stack;
    uint32_t labels;
};

static bool equals(const void *within, uint32_t entry, const void *key)
{
    const struct merged_holder *holder = &((const struct merged *)within)->holders[entry];
    const struct key *wanted = key;
    return holder->stack == wanted->stack && holder->labels == wanted->labels;
}

static uint64_t hash_of(uint32_t stack, uint32_t labels)
{
    return hash_word(0, (uint64_t)labels << 32 | stack);
}

uint32_t merged_find(const struct merged *merged, uint32_t stack, uint32_t labels)
{
    const struct key key = { stack, labels };
    return hash_index_find(&merged->index, hash_of(stack, labels), equals, merged, &key);
}

/* NULL without memory. */
static struct merged_holder *find_or_add(struct merged *merged, const struct handle_holder *from)
{
    uint32_t entry = merged_find(merged, from->stack, from->labels);
    if (entry != HASH_NONE)
        return &merged->holders[entry];
    struct merged_holder *list = array_reserve(merged->arena, merged->holders, &merged->capacity,
                                               merged->count, sizeof *list);
    if (!list)
        return NULL;
    merged->holders = list;
    list[merged->count] = (struct merged_holder){ .stack = from->stack, .labels = from->labels };
    if (!hash_index_insert(&merged->index, merged->arena, hash_of(from->stack, from->labels),
                           (uint32_t)merged->count))
        return NULL;
    return &list[merged->count++];
}

__extension__ typedef unsigned __int128 wide_sum;

/* The summed age of a cohort. */
static wide_sum age_sum_ns(const struct handle_cohort *cohort, uint64_t now_ns)
{
    if (cohort->from_ns >= now_ns)
        return 0;
    wide_sum sum = (wide_sum)cohort->count * (now_ns - cohort->from_ns);
    return sum > cohort->later_ns ? sum - cohort->later_ns : 0;
}

static size_t bucket_of(uint64_t age_ns, uint64_t *at_least_s)
{
    size_t bucket = 0;
    *at_least_s = 0;
    for (uint64_t edge = 1; bucket + 1 < AGE_BUCKETS_MAX && age_ns / SECOND >= edge; edge *= 10) {
        *at_least_s = edge;
        bucket++;
    }
    return bucket;
}

static void add_cohort(struct merged_holder *holder, const struct handle_cohort *cohort,
                       uint64_t now_ns)
{
    uint64_t at_least_s;
    wide_sum sum_ns = age_sum_ns(cohort, now_ns);
    uint64_t sum_ms =
        sum_ns <= UINT64_MAX ? (uint64_t)sum_ns / 1000000 : (uint64_t)(sum_ns / 1000000);
    /* A division of 128 bits is slow, and hardly ever needed. */
    uint64_t mean = sum_ns <= UINT64_MAX ? (uint64_t)sum_ns / cohort->count
                                         : (uint64_t)(sum_ns / cohort->count);
    struct age_bucket *bucket = &holder->ages[bucket_of(mean, &at_least_s)];
    bucket->at_least_s = at_least_s;
    bucket->count += cohort->count;
    bucket->bytes += cohort->bytes;
    bucket->age_sum_ms += sum_ms;
    holder->count += cohort->count;
    holder->bytes += cohort->bytes;
    holder->age_sum_ms += sum_ms;
    /* The oldest of a cohort is at least of its mean age; a single one is exactly. */
    uint64_t most = now_ns > cohort->from_ns ? now_ns - cohort->from_ns : 0;
    if (cohort->count == 1)
        most = mean;
    if (mean > holder->oldest_least_ns)
        holder->oldest_least_ns = mean;
    if (most > holder->oldest_most_ns)
        holder->oldest_most_ns = most;
}

bool merge_shard(struct merged *merged, const struct shard_copy *shard)
{
    const struct handle_holder *holders = shard->holders.items;
    const struct handle_cohort *cohorts = shard->cohorts.items;
    uint32_t steps = shard->cohorts.count; /* each is in one chain, unless it was changing */
    for (uint32_t i = 0; i < shard->holders.count; i++) {
        struct merged_holder *holder = NULL;
        for (uint32_t at = holders[i].cohorts; at != 0 && at <= shard->cohorts.count && steps > 0;
             steps--) {
            const struct handle_cohort *cohort = &cohorts[at - 1];
            at = cohort->older;
            if (cohort->count == 0)
                continue;
            if (!holder)
                holder = find_or_add(merged, &holders[i]);
            if (!holder)
                return false;
            add_cohort(holder, cohort, merged->now_ns);
        }
    }
    return true;
}
