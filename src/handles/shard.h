/* shard.h: a part of an inventory, and its lock. Private to handles/.
 *
 * A thread marks that it is inside before it takes a lock, so that a signal handler that comes
 * amid a call knows that it must not wait for its own thread. Who holds the lock is written
 * beside it, for a fork in such a handler (forks.c). */
#ifndef SNAG_HANDLES_SHARD_H
#define SNAG_HANDLES_SHARD_H

#include "handles/layout.h"
#include "handles/slab.h"

#include <stdbool.h>
#include <stdint.h>

#define BUCKETS_FIRST 32u /* of records */
#define HOLDERS_FIRST 16u /* buckets of holders */
#define SEGMENTS 28u      /* of buckets: the first ones, then 32, 64, 128 ... */

struct shard {
    struct handle_shard seen;    /* the part in layout.h, with `private` as below */
    uint64_t segments[SEGMENTS]; /* where bucket 0 would be, if the segment went on downward */
    uint32_t first_buckets[BUCKETS_FIRST]; /* numbers of records */
    uint32_t first_holders[HOLDERS_FIRST]; /* numbers of holders */
};

_Static_assert(sizeof(struct shard) % 128 == 0, "two shards share no line of the cache");

enum shard_private {
    SHARD_OWNER,       /* thread that writes; 0 when all is whole */
    SHARD_HOLDERS,     /* address of the table of holders, */
    SHARD_HOLDER_MASK, /* its size less one */
    SHARD_BUCKET_MASK, /* the least power of two that is not less than bucket_count, less one */
    SHARD_FORKER,      /* thread that holds the lock because it forks */
};

/* What a thread is at: 0 nothing, or the address of the shard that it holds or waits for, */
#define INSIDE_FORKING 1u /* and, or alone: it forks, and holds all locks */
#define INSIDE_DOUBT 2u   /* and: it was told in a new process that the lock may be nobody's */
#define INSIDE_LEAVING 4u /* and: all is done but giving the lock back */
#define INSIDE_BITS 7u
extern _Thread_local uintptr_t shard_inside __attribute__((tls_model("initial-exec")));

/* A thread by a number of its own. */
HOT uint64_t shard_self(void)
{
    return (uintptr_t)&shard_inside;
}

HOT void shard_own(struct shard *shard, uint64_t owner)
{
    __atomic_store_n(&shard->seen.private[SHARD_OWNER], owner, __ATOMIC_RELAXED);
}

/* Stores before come before stores after, for a reader in another process. */
HOT void stores_in_order(void)
{
#if defined(__x86_64__) || defined(__SANITIZE_THREAD__)
    __asm__ volatile("" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* An empty one. */
void shard_begin(struct shard *shard);

/* Waits for the lock and takes it. */
void shard_wait(struct shard *shard);

/* Wakes one of those who sleep on the lock. */
void shard_wake(struct shard *shard);

/* The case that this thread is inside already; see shard_enter. */
bool shard_enter_again(struct shard *shard);

/* Takes the lock without a mark or an owner, to read; see shard_let_go. Whoever does so
 * calls nothing of this meanwhile. */
HOT void shard_hold(struct shard *shard)
{
    uint32_t free = 0;
    /* acquire: what the last owner wrote comes before */
    if (UNLIKELY(!atomic_compare_exchange_strong_explicit(&shard->seen.lock, &free, 1,
                                                          memory_order_acquire,
                                                          memory_order_relaxed)))
        shard_wait(shard);
}

HOT void shard_let_go(struct shard *shard)
{
    /* release: what was written comes before the next owner reads it */
    if (UNLIKELY(atomic_exchange_explicit(&shard->seen.lock, 0, memory_order_release) == 2))
        shard_wake(shard);
}

/* From here on the calling thread may write. */
HOT void shard_open(struct shard *shard)
{
    shard_own(shard, shard_self());
    uint32_t version = atomic_load_explicit(&shard->seen.version, memory_order_relaxed);
    atomic_store_explicit(&shard->seen.version, version + 1, memory_order_relaxed);
    stores_in_order();
}

/* All is whole again. */
HOT void shard_close(struct shard *shard)
{
    uint32_t version = atomic_load_explicit(&shard->seen.version, memory_order_relaxed);
    atomic_store_explicit(&shard->seen.version, version + 1, memory_order_release);
    stores_in_order();
    shard_own(shard, 0);
}

/* Takes the lock to write. False for a signal handler that came amid a call of its thread. */
HOT bool shard_enter(struct shard *shard)
{
    if (UNLIKELY(__atomic_load_n(&shard_inside, __ATOMIC_RELAXED) != 0))
        return shard_enter_again(shard);
    __atomic_store_n(&shard_inside, (uintptr_t)shard, __ATOMIC_RELAXED);
    atomic_signal_fence(memory_order_seq_cst);
    shard_hold(shard);
    shard_open(shard);
    return true;
}

HOT void shard_leave(struct shard *shard)
{
    shard_close(shard);
    uintptr_t inside = __atomic_load_n(&shard_inside, __ATOMIC_RELAXED) & INSIDE_FORKING;
    if (!UNLIKELY(inside)) {
        __atomic_store_n(&shard_inside, (uintptr_t)shard | INSIDE_LEAVING, __ATOMIC_RELAXED);
        atomic_signal_fence(memory_order_seq_cst);
        shard_let_go(shard);
    }
    atomic_signal_fence(memory_order_seq_cst);
    __atomic_store_n(&shard_inside, inside, __ATOMIC_RELAXED);
}

#endif
