/* inventory.c: a handle comes, a handle goes: the public calls; see snag.h.
 *
 * A handle belongs to the shard and the bucket that its value leads to. All that is known of it
 * changes under that shard's lock, with the stack walked and the clock read before. */
#include "handles/inventory.h"
#include "handles/holders.h"
#include "handles/records.h"
#include "labels/labels.h"
#include "stacks/stacks.h"

#include <errno.h>
#include <time.h>

#define COLD __attribute__((noinline, cold))

/* A handle on the way into an inventory. */
struct coming {
    uint64_t handle;
    uint64_t hash;
    uint64_t bytes;
    uint64_t time_ns;
    uint32_t stack;
    uint32_t labels;
};

HOT uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t coarse_now_ns(void)
{
    return now_ns();
}

HOT struct shard *shard_of(const struct inventory *inventory, uint64_t hash)
{
    return inventory_shard(inventory, (uint32_t)(hash >> 32) & (inventory->shard_count - 1));
}

HOT void set_live(struct shard *shard, uint64_t live)
{
    __atomic_store_n(&shard->seen.live, live, __ATOMIC_RELAXED);
}

/* Fills RECORD, which is not found yet, and counts it with its holder. False without memory. */
HOT bool hold(struct shard *shard, struct handle_record *record, const struct coming *coming)
{
    uint64_t time_ns = coming->time_ns;
    uint32_t number = holder_of(shard, coming->stack, coming->labels);
    if (UNLIKELY(number == 0))
        return false;
    struct handle_cohort *cohort =
        cohort_for(shard, holder_at(&shard->seen.holders, number), &time_ns);
    if (UNLIKELY(!cohort))
        return false;
    cohort_enter(cohort, time_ns, coming->bytes);
    record->handle = coming->handle;
    record->bytes = coming->bytes;
    record->time_ns = time_ns;
    record->next = 0;
    record->holder = number;
    return true;
}

HOT int enter(struct shard *shard, const struct coming *coming)
{
    uint32_t *link = record_find(shard, coming->hash, coming->handle);
    if (UNLIKELY(*link != 0))
        return -EEXIST;
    uint32_t number = record_take(&shard->seen.records);
    if (UNLIKELY(number == 0))
        return -ENOMEM;
    if (UNLIKELY(!hold(shard, record_at(&shard->seen.records, number), coming))) {
        record_give(&shard->seen.records, number);
        return -ENOMEM;
    }
    *link = number;
    set_live(shard, shard->seen.live + 1);
    if (UNLIKELY(shard->seen.bucket_count < buckets_wanted(shard->seen.live)))
        records_grow(shard);
    return 0;
}

HOT int leave(struct shard *shard, uint64_t hash, uint64_t handle)
{
    uint32_t *link = record_find(shard, hash, handle);
    uint32_t number = *link;
    if (UNLIKELY(number == 0))
        return -ENOENT;
    struct handle_record *record = record_at(&shard->seen.records, number);
    struct handle_holder *holder = holder_at(&shard->seen.holders, record->holder);
    holder_forget(shard, holder, record->time_ns, record->bytes);
    *link = record->next;
    record->holder = 0;
    record_give(&shard->seen.records, number);
    set_live(shard, shard->seen.live - 1);
    return 0;
}

static COLD int not_added(struct inventory *inventory, int status)
{
    _Atomic uint64_t *count = status == -EEXIST ? &inventory->double_adds : &inventory->lost;
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    return status;
}

/* The stack is that of the function FRAME is of. ANEW: what is live under HANDLE gives way. */
HOT int add(struct inventory *inventory, const void *handle, size_t bytes, const void *frame,
            unsigned skip, bool anew)
{
    struct coming coming = { .handle = (uintptr_t)handle, .bytes = bytes };
    coming.hash = handle_hash(coming.handle);
    struct shard *shard = shard_of(inventory, coming.hash);
    __builtin_prefetch(bucket_expected(shard, coming.hash), 1);
    coming.stack = stack_number(frame, skip);
    coming.labels = label_set_here();
    coming.time_ns = now_ns();
    if (UNLIKELY(!shard_enter(shard)))
        return not_added(inventory, -EBUSY);
    int status = enter(shard, &coming);
    if (anew && UNLIKELY(status == -EEXIST)) {
        leave(shard, coming.hash, coming.handle);
        status = enter(shard, &coming);
    }
    shard_leave(shard);
    return status == 0 ? 0 : not_added(inventory, status);
}

HOT int forget(struct inventory *inventory, const void *handle)
{
    uint64_t hash = handle_hash((uintptr_t)handle);
    struct shard *shard = shard_of(inventory, hash);
    if (UNLIKELY(!shard_enter(shard)))
        return -EBUSY;
    int status = leave(shard, hash, (uintptr_t)handle);
    shard_leave(shard);
    return status;
}

HOT int take_out(struct inventory *inventory, const void *handle, const void *frame)
{
    int status = forget(inventory, handle);
    if (UNLIKELY(status == -ENOENT)) {
        wrong_remove_add(inventory, (uintptr_t)handle, frame);
        SNAG_STAYS(); /* the frame is there until it was read */
    }
    return status;
}

int snag_profile_add(snag_profile *profile, const void *handle, size_t bytes, int skip)
{
    if (UNLIKELY(!profile))
        return -EINVAL;
    return add(inventory_of(profile), handle, bytes, STACK_FRAME, skip > 0 ? (unsigned)skip : 0,
               false);
}

int snag_profile_remove(snag_profile *profile, const void *handle)
{
    if (UNLIKELY(!profile))
        return -EINVAL;
    return take_out(inventory_of(profile), handle, STACK_FRAME);
}

size_t snag_profile_count(const snag_profile *profile)
{
    const struct inventory *inventory = inventory_of(profile);
    size_t count = 0;
    for (uint32_t i = 0; inventory && i < inventory->shard_count; i++)
        count += __atomic_load_n(&inventory_shard(inventory, i)->seen.live, __ATOMIC_RELAXED);
    return count;
}

void snag_track_here(snag_profile **here, const char *name, const void *handle, size_t bytes)
{
    struct inventory *inventory = known_here(here, name);
    if (inventory)
        add(inventory, handle, bytes, STACK_FRAME, 0, false);
}

void snag_untrack_here(snag_profile **here, const char *name, const void *handle)
{
    struct inventory *inventory = known_here(here, name);
    if (inventory)
        take_out(inventory, handle, STACK_FRAME);
}

int inventory_renew(struct inventory *inventory, const void *handle, size_t bytes,
                    const void *frame, unsigned skip)
{
    return add(inventory, handle, bytes, frame, skip, true);
}

int inventory_forget(struct inventory *inventory, const void *handle)
{
    return forget(inventory, handle);
}
