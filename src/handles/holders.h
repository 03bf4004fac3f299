/* holders.h: who holds the handles of a shard, and how many since when. Private to handles/.
 *
 * A holder is a stack with labels. Its cohorts, newest first, divide its handles by age; that of a
 * handle is the newest one that does not begin after it, and never changes but by being joined
 * with its neighbour. A cohort without handles is taken away, except the newest one where there are
 * others, which the next handle will want. A holder without cohorts stays until the table would
 * have to grow for another. All of it under the shard's lock. */
#ifndef SNAG_HANDLES_HOLDERS_H
#define SNAG_HANDLES_HOLDERS_H

#include "handles/shard.h"

#define COHORT_SPAN_NS UINT64_C(250000000) /* of the newest one */

/* Makes the holder, which is not there; 0 without memory. */
uint32_t holder_make(struct shard *shard, uint32_t stack, uint32_t labels);

/* A new newest cohort of HOLDER, from TIME_NS, and joins older ones that time has brought
 * close; NULL without memory. */
struct handle_cohort *cohort_begin(struct shard *shard, struct handle_holder *holder,
                                   uint64_t time_ns);

HOT uint32_t *holder_bucket(const struct shard *shard, uint32_t stack, uint32_t labels)
{
    uint64_t hash = (stack + (uint64_t)labels * 0x9e3779b9u) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t *table = (uint32_t *)(uintptr_t)shard->seen.private[SHARD_HOLDERS];
    return table + (hash >> 32 & shard->seen.private[SHARD_HOLDER_MASK]);
}

/* 0 without memory. */
HOT uint32_t holder_of(struct shard *shard, uint32_t stack, uint32_t labels)
{
    uint32_t number = *holder_bucket(shard, stack, labels);
    while (number != 0) {
        const struct handle_holder *holder = holder_at(&shard->seen.holders, number);
        if (holder->stack == stack && holder->labels == labels)
            return number;
        number = holder->next;
    }
    return holder_make(shard, stack, labels);
}

/* The cohort for a handle that comes at *TIME_NS, which another thread's clock may be ahead of:
 * then it is as if it had come with that. NULL without memory. */
HOT struct handle_cohort *cohort_for(struct shard *shard, struct handle_holder *holder,
                                     uint64_t *time_ns)
{
    if (holder->cohorts == 0)
        return cohort_begin(shard, holder, *time_ns);
    struct handle_cohort *newest = cohort_at(&shard->seen.cohorts, holder->cohorts);
    if (*time_ns < newest->from_ns)
        *time_ns = newest->from_ns;
    if (newest->count == 0)
        newest->from_ns = *time_ns;
    else if (UNLIKELY(*time_ns - newest->from_ns > COHORT_SPAN_NS))
        return cohort_begin(shard, holder, *time_ns);
    return newest;
}

HOT void cohort_enter(struct handle_cohort *cohort, uint64_t time_ns, uint64_t bytes)
{
    cohort->count++;
    cohort->bytes += bytes;
    cohort->later_ns += time_ns - cohort->from_ns;
}

/* The cohort whose number stands at LINK has become empty. */
HOT void cohort_leave(struct shard *shard, struct handle_holder *holder, uint32_t *link)
{
    struct handle_slab *cohorts = &shard->seen.cohorts;
    uint32_t number = *link;
    uint32_t older = cohort_at(cohorts, number)->older;
    if (link == &holder->cohorts && older != 0)
        return;
    *link = older;
    cohort_give(cohorts, number);
    if (UNLIKELY(link != &holder->cohorts && older == 0)) {
        /* there may be nothing left but an empty newest one */
        number = holder->cohorts;
        const struct handle_cohort *newest = cohort_at(cohorts, number);
        if (newest->count == 0 && newest->older == 0) {
            holder->cohorts = 0;
            cohort_give(cohorts, number);
        }
    }
}

/* Takes a handle that came at TIME_NS out of HOLDER's sums. */
HOT void holder_forget(struct shard *shard, struct handle_holder *holder, uint64_t time_ns,
                       uint64_t bytes)
{
    uint32_t *link = &holder->cohorts;
    struct handle_cohort *cohort = cohort_at(&shard->seen.cohorts, *link);
    while (cohort->from_ns > time_ns) {
        link = &cohort->older;
        cohort = cohort_at(&shard->seen.cohorts, *link);
    }
    cohort->bytes -= bytes;
    cohort->later_ns -= time_ns - cohort->from_ns;
    if (--cohort->count == 0)
        cohort_leave(shard, holder, link);
}

#endif
