/* holders.c: holders and cohorts that come and go; see holders.h. */
#include "handles/holders.h"

#include "handles/memory.h"

/* Takes away the holders that hold nothing. */
static void sweep(struct shard *shard)
{
    uint32_t *table = (uint32_t *)(uintptr_t)shard->seen.private[SHARD_HOLDERS];
    for (uint64_t i = 0; i <= shard->seen.private[SHARD_HOLDER_MASK]; i++) {
        uint32_t *link = &table[i];
        while (*link != 0) {
            uint32_t number = *link;
            struct handle_holder *holder = holder_at(&shard->seen.holders, number);
            if (holder->cohorts != 0) {
                link = &holder->next;
                continue;
            }
            *link = holder->next;
            *holder = (struct handle_holder){ 0 };
            holder_give(&shard->seen.holders, number);
            shard->seen.holder_count--;
        }
    }
}

static void link_holder(struct shard *shard, struct handle_holder *holder, uint32_t number)
{
    uint32_t *bucket = holder_bucket(shard, holder->stack, holder->labels);
    holder->next = *bucket;
    *bucket = number;
}

/* A table of twice the size; without memory the lists get longer. */
static void grow(struct shard *shard)
{
    uint64_t count = shard->seen.private[SHARD_HOLDER_MASK] + 1;
    const uint32_t *before = (const uint32_t *)(uintptr_t)shard->seen.private[SHARD_HOLDERS];
    void *made = memory_take(2 * count * sizeof *before);
    if (!made)
        return;
    shard->seen.private[SHARD_HOLDERS] = (uintptr_t)made;
    shard->seen.private[SHARD_HOLDER_MASK] = 2 * count - 1;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t next;
        for (uint32_t number = before[i]; number != 0; number = next) {
            struct handle_holder *holder = holder_at(&shard->seen.holders, number);
            next = holder->next;
            link_holder(shard, holder, number);
        }
    }
}

__attribute__((noinline, cold)) uint32_t holder_make(struct shard *shard, uint32_t stack,
                                                     uint32_t labels)
{
    uint64_t count = shard->seen.private[SHARD_HOLDER_MASK] + 1;
    if (shard->seen.holder_count >= count) {
        sweep(shard);
        if (shard->seen.holder_count > count / 2)
            grow(shard);
    }
    uint32_t number = holder_take(&shard->seen.holders);
    if (number == 0)
        return 0;
    struct handle_holder *holder = holder_at(&shard->seen.holders, number);
    *holder = (struct handle_holder){ .stack = stack, .labels = labels };
    link_holder(shard, holder, number);
    shard->seen.holder_count++;
    return number;
}

/* OLDER goes into COHORT. False, and nothing is changed, when the sums would overflow: there may be
 * any number of handles over any time. */
static bool join(struct handle_cohort *cohort, const struct handle_cohort *older)
{
    uint32_t count;
    uint64_t later_ns;
    if (__builtin_mul_overflow(cohort->from_ns - older->from_ns, cohort->count, &later_ns) ||
        __builtin_add_overflow(later_ns, cohort->later_ns, &later_ns) ||
        __builtin_add_overflow(later_ns, older->later_ns, &later_ns) ||
        __builtin_add_overflow(cohort->count, older->count, &count))
        return false;
    *cohort = (struct handle_cohort){
        .from_ns = older->from_ns,
        .later_ns = later_ns,
        .bytes = cohort->bytes + older->bytes,
        .count = count,
        .older = older->older,
    };
    return true;
}

/* Joins neighbours behind the newest cohort as struct handle_cohort says. */
static void join_old(struct handle_slab *cohorts, struct handle_cohort *newest)
{
    struct handle_cohort *newer = newest;
    while (newer->older != 0) {
        struct handle_cohort *cohort = cohort_at(cohorts, newer->older);
        uint32_t next = cohort->older;
        if (next == 0)
            return;
        const struct handle_cohort *older = cohort_at(cohorts, next);
        uint64_t width = newer->from_ns - older->from_ns;
        uint64_t age = newest->from_ns - newer->from_ns;
        if (width <= age / 2 && join(cohort, older))
            cohort_give(cohorts, next);
        else
            newer = cohort;
    }
}

__attribute__((noinline)) struct handle_cohort *
cohort_begin(struct shard *shard, struct handle_holder *holder, uint64_t time_ns)
{
    struct handle_slab *cohorts = &shard->seen.cohorts;
    uint32_t number = cohort_take(cohorts);
    if (number == 0)
        return NULL;
    struct handle_cohort *newest = cohort_at(cohorts, number);
    *newest = (struct handle_cohort){ .from_ns = time_ns, .older = holder->cohorts };
    holder->cohorts = number;
    if (newest->older != 0)
        join_old(cohorts, newest);
    return newest;
}
