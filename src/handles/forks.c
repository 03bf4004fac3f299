/* forks.c: a child of fork has a whole copy of all inventories.
 *
 * Before a fork all locks are taken, in one order, and given back on both sides after it. Handlers
 * of the service that run meanwhile may add and remove: their thread has the locks.
 *
 * A fork in a signal handler that came amid a call of its own thread cannot wait like that:
 * the thread may hold a lock that another fork waits for. It takes what it can get in a short
 * while. The lock that its own call holds is left to that call, which goes on, here and in
 * the child, when the handler returns; until then the handler's calls are refused in both. Of the
 * others that it could not get, the child frees those that nobody wrote under, and empties those
 * where a thread was in the middle of a change that it is not there to finish: the handles
 * are counted as lost. Nothing is allocated here. */
#include "handles/inventory.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define TRIES 2000 /* with a chance for others to run in between */

typedef void each_shard(struct inventory *inventory, struct shard *shard);

static void for_each(each_shard *act)
{
    const struct handle_root *root = &snag_handles_root;
    act(NULL, &inventory_names);
    uint32_t count = atomic_load_explicit(&root->count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t address = atomic_load_explicit(&root->inventories[i], memory_order_relaxed);
        struct inventory *inventory = (struct inventory *)(uintptr_t)address;
        for (uint32_t j = 0; j < inventory->shard_count; j++)
            act(inventory, inventory_shard(inventory, j));
    }
}

static void set_forker(struct shard *shard, uint64_t forker)
{
    __atomic_store_n(&shard->seen.private[SHARD_FORKER], forker, __ATOMIC_RELAXED);
}

static bool is_forkers(struct shard *shard)
{
    return __atomic_load_n(&shard->seen.private[SHARD_FORKER], __ATOMIC_RELAXED) == shard_self();
}

static uint64_t owner_of(struct shard *shard)
{
    return __atomic_load_n(&shard->seen.private[SHARD_OWNER], __ATOMIC_RELAXED);
}

static uintptr_t inside(void)
{
    return __atomic_load_n(&shard_inside, __ATOMIC_RELAXED);
}

static void set_inside(uintptr_t value)
{
    atomic_signal_fence(memory_order_seq_cst);
    __atomic_store_n(&shard_inside, value, __ATOMIC_RELAXED);
    atomic_signal_fence(memory_order_seq_cst);
}

static void take(struct inventory *inventory, struct shard *shard)
{
    (void)inventory;
    shard_hold(shard);
    set_forker(shard, shard_self());
}

static void try_to_take(struct inventory *inventory, struct shard *shard)
{
    (void)inventory;
    for (int i = 0; i < TRIES && owner_of(shard) != shard_self(); i++) {
        uint32_t free = 0;
        if (atomic_compare_exchange_strong_explicit(&shard->seen.lock, &free, 1,
                                                    memory_order_acquire, memory_order_relaxed)) {
            set_forker(shard, shard_self());
            return;
        }
        sched_yield();
    }
}

static void let_go(struct inventory *inventory, struct shard *shard)
{
    (void)inventory;
    if (!is_forkers(shard))
        return;
    set_forker(shard, 0);
    shard_let_go(shard);
}

static void free_lock(struct shard *shard)
{
    if (atomic_load_explicit(&shard->seen.lock, memory_order_relaxed) == 0)
        return;
    set_forker(shard, 0);
    atomic_store_explicit(&shard->seen.lock, 0, memory_order_release);
}

/* A change was begun and will not be finished. */
static void make_whole(struct inventory *inventory, struct shard *shard)
{
    if (inventory) { /* else it is the lock of names: one that was not counted yet is forgotten */
        uint32_t version = atomic_load_explicit(&shard->seen.version, memory_order_relaxed);
        atomic_fetch_add_explicit(&inventory->lost, shard->seen.live, memory_order_relaxed);
        memset(shard, 0, sizeof *shard);
        shard_begin(shard);
        atomic_store_explicit(&shard->seen.version, (version | 1) + 1, memory_order_relaxed);
    }
    shard_own(shard, 0);
    free_lock(shard);
}

/* In the child: the call that the handler came in was at SHARD. */
static void leave_to_call(struct inventory *inventory, struct shard *shard)
{
    uint64_t owner = owner_of(shard);
    if (owner == shard_self())
        return;
    if (owner != 0) {
        make_whole(inventory, shard);
    } else if (inside() & INSIDE_LEAVING) {
        free_lock(shard);
    } else if (atomic_load_explicit(&shard->seen.lock, memory_order_relaxed) != 0) {
        set_forker(shard, 0);
        atomic_store_explicit(&shard->seen.lock, 1, memory_order_relaxed); /* nobody sleeps here */
        set_inside(inside() | INSIDE_DOUBT);
    }
}

static void set_right(struct inventory *inventory, struct shard *shard)
{
    if (is_forkers(shard))
        let_go(inventory, shard);
    else if ((inside() & ~(uintptr_t)INSIDE_BITS) == (uintptr_t)shard)
        leave_to_call(inventory, shard);
    else if (owner_of(shard) != 0)
        make_whole(inventory, shard);
    else
        free_lock(shard);
}

/* Most programs that fork often have no inventory. Then nothing is taken, since a page that is
 * written is one to be copied; a thread that is about to make the first one has done so in the
 * parent alone. */
static void before_fork(void)
{
    if (inside() == 0 && atomic_load(&snag_handles_root.count) == 0)
        return;
    if (inside() != 0) {
        for_each(try_to_take);
        return;
    }
    set_inside((uintptr_t)&inventory_names); /* handlers are refused until all are taken */
    for_each(take);
    set_inside(INSIDE_FORKING);
}

/* Whether the fork came amid a call, or took nothing; if not, handlers are refused until all are
 * given back. */
static bool came_amid(void)
{
    if (inside() != INSIDE_FORKING)
        return true;
    set_inside((uintptr_t)&inventory_names);
    return false;
}

static void after_fork(void)
{
    bool amid = came_amid();
    for_each(let_go);
    if (!amid)
        set_inside(0);
}

static void after_fork_in_child(void)
{
    bool amid = came_amid();
    for_each(amid ? set_right : let_go);
    if (!amid)
        set_inside(0);
}

void fork_joins(struct shard *shard)
{
    if (!(inside() & INSIDE_FORKING))
        return;
    atomic_store_explicit(&shard->seen.lock, 1, memory_order_relaxed);
    set_forker(shard, shard_self());
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}
