/* futex.c: which kind of lock a futex is.
 *
 * futex(2) knows an address, a command and a value. What lies at the address
 * follows first from the library function that was called, then, where none is
 * known, from what only one kind can look like; else it stays "futex". The commands and values are
 * those of glibc 2.25 and later: a low-level lock waits by FUTEX_WAIT for 2, everything with
 * an optional time by FUTEX_WAIT_BITSET, priority-inheriting mutexes by FUTEX_LOCK_PI. */
#include "waits/finder.h"

#include "sources/threads.h"

#include <linux/futex.h>
#include <pthread.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define LOCKED_WITH_WAITERS 2 /* of a low-level lock (lowlevellock.h) */

static struct futex_call futex_arguments(const struct thread_sample *thread)
{
    unsigned operation = (unsigned)thread->arguments[1];
    return (struct futex_call){
        .address = thread->arguments[0],
        .command = operation & (unsigned)FUTEX_CMD_MASK,
        .shared = !(operation & FUTEX_PRIVATE_FLAG),
        .value = (uint32_t)thread->arguments[2],
    };
}

static bool inherits_priority(const struct futex_call *call)
{
    return call->command == FUTEX_LOCK_PI || call->command == FUTEX_LOCK_PI2;
}

static void mutex_find(struct finder *finder, size_t index, const struct futex_call *call)
{
    /* Nothing else waits so: see stopped.c. */
    bool is_stopped =
        call->command == FUTEX_WAIT_BITSET && call->value == 0 && !finder->set->waits[index].timed;
    if (is_stopped)
        stopped_find(finder, index, call);
    else
        object_mutex(finder, index, call);
}

static void condition_find(struct finder *finder, size_t index, const struct futex_call *call)
{
    struct wait *wait = &finder->set->waits[index];
    if (call->command != FUTEX_WAIT_BITSET) { /* it was woken, and wants its mutex back */
        object_mutex(finder, index, call);
        return;
    }
    /* Waiters sleep on one of two words, of which the first is at a multiple of 8. */
    size_t first = offsetof(pthread_cond_t, __data.__g_signals);
    wait->kind = WAIT_CONDITION;
    wait->object = call->address - (call->address % 8 == first % 8 ? first : first + 4);
    finder->clues[index].what = "condition";
}

static void plain_find(struct finder *finder, size_t index, enum wait_kind kind, uint64_t object,
                       const char *what)
{
    struct wait *wait = &finder->set->waits[index];
    wait->kind = kind;
    wait->object = object;
    finder->clues[index].what = what;
}

/* By signature alone. */
static void unknown_find(struct finder *finder, size_t index, const struct futex_call *call,
                         const struct called *called)
{
    bool is_low_level = call->command == FUTEX_WAIT && call->value == LOCKED_WITH_WAITERS;
    if (inherits_priority(call) || (is_low_level && object_is_mutex(finder, call)))
        object_mutex(finder, index, call);
    else if (is_low_level && object_is_stdio(finder, call))
        object_stdio(finder, index, call);
    else if (call->command == FUTEX_WAIT_BITSET && object_is_joined(finder, call))
        object_joined(finder, index, call);
    else if (called && called->class == CALLED_LIBRARY && is_low_level)
        plain_find(finder, index, WAIT_LIBRARY, call->address,
                   finder_text(finder, "lock inside %s", called->name));
    else
        plain_find(finder, index, WAIT_FUTEX, call->address, "futex");
}

void futex_find(struct finder *finder, size_t index)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    const struct futex_call call = futex_arguments(thread);
    const struct called *called = called_find(&finder->namer, thread);
    wait->call = called ? called->name : NULL;
    wait->timed = thread->arguments[3] != 0;
    switch (called ? called->class : CALLED_UNKNOWN) {
    case CALLED_MUTEX: mutex_find(finder, index, &call); break;
    case CALLED_READ_LOCK: object_rwlock(finder, index, &call, false); break;
    case CALLED_WRITE_LOCK: object_rwlock(finder, index, &call, true); break;
    case CALLED_CONDITION: condition_find(finder, index, &call); break;
    case CALLED_JOIN: object_joined(finder, index, &call); break;
    case CALLED_ONCE: object_once(finder, index, &call); break;
    case CALLED_SEMAPHORE:
        plain_find(finder, index, WAIT_SEMAPHORE, call.address, "semaphore");
        break;
    case CALLED_BARRIER: /* the round's number is its second word */
        plain_find(finder, index, WAIT_BARRIER, call.address - 4, "barrier");
        break;
    case CALLED_GUARD:
        plain_find(finder, index, WAIT_ONCE, call.address,
                   "C++ static that another thread initialises");
        break;
    default: unknown_find(finder, index, &call, called);
    }
}
