/* pthread.h: locks that were initialised and not destroyed, with the function that initialised
 * them: pthread.mutex, pthread.cond, pthread.rwlock, pthread.barrier, pthread.key.
 *
 *     #include <snag/wrap/pthread.h>   last of the includes; see wrap.h
 *
 * glibc has 1024 keys for the whole process: those are worth a look most of all. What
 * PTHREAD_MUTEX_INITIALIZER makes is not entered, nor is what std::mutex makes, which ends with its
 * memory. A destroy that fails (EBUSY) leaves the lock live. Threads are not here: they are started
 * and joined within libraries (std::thread), so libsnag-track counts them (docs/handles.md). */
#ifndef SNAG_WRAP_PTHREAD_H
#define SNAG_WRAP_PTHREAD_H

#include <snag/wrap/wrap.h>

#include <pthread.h>

SNAG_WRAP_INVENTORY(snag_wrap_mutexes, "pthread.mutex");
SNAG_WRAP_INVENTORY(snag_wrap_conds, "pthread.cond");
SNAG_WRAP_INVENTORY(snag_wrap_keys, "pthread.key");

SNAG_WRAP_INIT(snag_wrap_mutexes, pthread_mutex_init,
               (SNAG_WRAP_PLACE, pthread_mutex_t *object, const pthread_mutexattr_t *attributes),
               (object, attributes))
SNAG_WRAP_DESTROY(snag_wrap_mutexes, pthread_mutex_destroy, pthread_mutex_t)
#define pthread_mutex_init(...) snag_wrap_pthread_mutex_init(SNAG_WRAP_HERE, __VA_ARGS__)
#define pthread_mutex_destroy snag_wrap_pthread_mutex_destroy

SNAG_WRAP_INIT(snag_wrap_conds, pthread_cond_init,
               (SNAG_WRAP_PLACE, pthread_cond_t *object, const pthread_condattr_t *attributes),
               (object, attributes))
SNAG_WRAP_DESTROY(snag_wrap_conds, pthread_cond_destroy, pthread_cond_t)
#define pthread_cond_init(...) snag_wrap_pthread_cond_init(SNAG_WRAP_HERE, __VA_ARGS__)
#define pthread_cond_destroy snag_wrap_pthread_cond_destroy

/* A key is a number, and given out again once it is deleted. */
SNAG_WRAP_FUNCTION int snag_wrap_pthread_key_create(SNAG_WRAP_PLACE, pthread_key_t *key,
                                                    void (*destructor)(void *))
{
    SNAG_WRAP_BEGIN();
    int status = pthread_key_create(key, destructor);
    if (status == 0) {
        size_t number = *key;
        SNAG_WRAP_MADE(snag_wrap_keys, SNAG_HANDLE(number), 0);
    }
    return status;
}

SNAG_WRAP_FUNCTION int snag_wrap_pthread_key_delete(pthread_key_t key)
{
    size_t number = key;
    SNAG_WRAP_ENDED(snag_wrap_keys, SNAG_HANDLE(number));
    return pthread_key_delete(key);
}

#define pthread_key_create(...) snag_wrap_pthread_key_create(SNAG_WRAP_HERE, __VA_ARGS__)
#define pthread_key_delete snag_wrap_pthread_key_delete

#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 200112L
SNAG_WRAP_INVENTORY(snag_wrap_rwlocks, "pthread.rwlock");
SNAG_WRAP_INVENTORY(snag_wrap_barriers, "pthread.barrier");

SNAG_WRAP_INIT(snag_wrap_rwlocks, pthread_rwlock_init,
               (SNAG_WRAP_PLACE, pthread_rwlock_t *object, const pthread_rwlockattr_t *attributes),
               (object, attributes))
SNAG_WRAP_DESTROY(snag_wrap_rwlocks, pthread_rwlock_destroy, pthread_rwlock_t)
#define pthread_rwlock_init(...) snag_wrap_pthread_rwlock_init(SNAG_WRAP_HERE, __VA_ARGS__)
#define pthread_rwlock_destroy snag_wrap_pthread_rwlock_destroy

SNAG_WRAP_INIT(snag_wrap_barriers, pthread_barrier_init,
               (SNAG_WRAP_PLACE, pthread_barrier_t *object, const pthread_barrierattr_t *attributes,
                unsigned count),
               (object, attributes, count))
SNAG_WRAP_DESTROY(snag_wrap_barriers, pthread_barrier_destroy, pthread_barrier_t)
#define pthread_barrier_init(...) snag_wrap_pthread_barrier_init(SNAG_WRAP_HERE, __VA_ARGS__)
#define pthread_barrier_destroy snag_wrap_pthread_barrier_destroy
#endif

#endif
