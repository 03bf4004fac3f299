/* shard.c: the lock of a shard where it is not simply free; see shard.h.
 *
 * The lock is a futex of three states (Drepper, "Futexes Are Tricky", 2011). It is held for some
 * tens of nanoseconds, so it is worth looking a few times before going to sleep. */
#include "handles/shard.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOKS 100

_Thread_local uintptr_t shard_inside __attribute__((tls_model("initial-exec")));

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void shard_begin(struct shard *shard)
{
    shard->segments[0] = (uintptr_t)shard->first_buckets;
    shard->seen.bucket_count = BUCKETS_FIRST;
    shard->seen.private[SHARD_BUCKET_MASK] = BUCKETS_FIRST - 1;
    shard->seen.private[SHARD_HOLDERS] = (uintptr_t)shard->first_holders;
    shard->seen.private[SHARD_HOLDER_MASK] = HOLDERS_FIRST - 1;
}

/* This is a child of fork, which came in a signal handler while this thread was at this lock, and
 * nobody knew who held it (forks.c). It was not this thread, which waits; so it is nobody. */
static bool is_left_behind(struct shard *shard)
{
    uintptr_t doubt = (uintptr_t)shard | INSIDE_DOUBT;
    if (__atomic_load_n(&shard_inside, __ATOMIC_RELAXED) != doubt)
        return false;
    __atomic_store_n(&shard_inside, (uintptr_t)shard, __ATOMIC_RELAXED);
    return true;
}

void shard_wait(struct shard *shard)
{
    _Atomic uint32_t *lock = &shard->seen.lock;
    for (int i = 0; i < LOOKS; i++) {
        uint32_t free = 0;
        relax();
        if (atomic_load_explicit(lock, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong_explicit(lock, &free, 1, memory_order_acquire,
                                                    memory_order_relaxed))
            return;
    }
    int before = errno;
    while (!is_left_behind(shard) && atomic_exchange_explicit(lock, 2, memory_order_acquire) != 0)
        syscall(SYS_futex, lock, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
    errno = before;
}

void shard_wake(struct shard *shard)
{
    int before = errno;
    syscall(SYS_futex, &shard->seen.lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = before;
}

/* A handler of pthread_atfork may add and remove: its thread has all the locks. */
bool shard_enter_again(struct shard *shard)
{
    if (__atomic_load_n(&shard_inside, __ATOMIC_RELAXED) != INSIDE_FORKING)
        return false;
    uintptr_t inside = (uintptr_t)shard | INSIDE_FORKING;
    __atomic_store_n(&shard_inside, inside, __ATOMIC_RELAXED);
    shard_open(shard);
    return true;
}
