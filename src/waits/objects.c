/* objects.c: the C library's locks, and what they say of their owner.
 *
 * Layouts are those of glibc's own headers. An owner is written after its lock was
 * taken and cleared before it is given back; so while a thread is proven not
 * to run, a lock that names it is its own. */
#include "waits/finder.h"

#include "base/target.h"
#include "sources/threads.h"

#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define MUTEX_WORD(mutex, field) (mutex + offsetof(pthread_mutex_t, __data.field))
#define RWLOCK_WORD(rwlock, field) (rwlock + offsetof(pthread_rwlock_t, __data.field))

/* glibc's nptl/pthread_rwlock_common.c. */
#define READERS_WAIT_WITH 3 /* the phase is the writers', and somebody waits: 1 | 2 */
#define WRITING_PHASE 1u    /* in __readers; the number of readers is above ... */
#define READER_SHIFT 3

#define SELF_SEARCH 0x800 /* bytes of struct pthread where the thread's id is looked for */

bool clue_read(struct finder *finder, struct clue *clue, uint64_t address, unsigned size)
{
    clue->word = 0;
    clue->word_size = size;
    clue->word_address = target_read_all(finder->target, address, &clue->word, size) ? address : 0;
    return clue->word_address != 0;
}

static const char *mutex_type(int kind)
{
    static const char *const types[] = { NULL, "recursive", "error-checking", "adaptive" };
    if (kind & KIND_ROBUST)
        return "robust";
    if (kind & KIND_INHERITS)
        return "priority-inheriting";
    return types[kind & KIND_TYPE];
}

bool object_is_mutex(struct finder *finder, const struct futex_call *call)
{
    pthread_mutex_t mutex;
    if (call->shared || call->address % _Alignof(pthread_mutex_t) != 0 ||
        !target_read_all(finder->target, call->address, &mutex, sizeof mutex))
        return false;
    /* What else waits for 2 are bare low-level locks: of malloc's arenas, of streams ... */
    return (mutex.__data.__kind & ~KIND_KNOWN) == 0 && mutex.__data.__nusers > 0 &&
           owner_index(finder, mutex.__data.__owner) != SIZE_MAX;
}

/* The mutex at ADDRESS as it was when it was first looked at: thousands may wait for one. NULL: it
 * cannot be read. */
static const pthread_mutex_t *mutex_at(struct finder *finder, uint64_t address)
{
    struct kept_mutex *kept = &finder->mutexes[address / sizeof(uint64_t) % MUTEXES_KEPT];
    if (kept->address != address) {
        kept->address = 0;
        if (!target_read_all(finder->target, address, &kept->bytes, sizeof kept->bytes))
            return NULL;
        kept->address = address;
    }
    return &kept->bytes;
}

static void keep_word(struct clue *clue, uint64_t address, uint32_t word)
{
    clue->word_address = address;
    clue->word = word;
    clue->word_size = sizeof word;
}

void object_mutex_at(struct finder *finder, size_t index, uint64_t address, bool inherits)
{
    struct wait *wait = &finder->set->waits[index];
    struct clue *clue = &finder->clues[index];
    const pthread_mutex_t *mutex = mutex_at(finder, address);
    wait->kind = WAIT_MUTEX;
    wait->object = address;
    clue->what = "mutex";
    clue->relation = "held by";
    clue->kernel_helps = inherits;
    if (!mutex)
        return;
    int kind = mutex->__data.__kind;
    clue->type = mutex_type(kind);
    clue->shared = kind & KIND_SHARED;
    clue->kernel_helps |= (kind & (KIND_ROBUST | KIND_INHERITS)) != 0;
    if (!clue->kernel_helps) {
        keep_word(clue, MUTEX_WORD(address, __owner), (uint32_t)mutex->__data.__owner);
        owner_set(finder, index, mutex->__data.__owner);
        return;
    }
    keep_word(clue, address, (uint32_t)mutex->__data.__lock);
    pid_t owner = (pid_t)(clue->word & FUTEX_TID_MASK);
    /* The kernel hands a priority-inheriting mutex to one who still sleeps, and is about to
     * wake. (Asked for one's own, it would have refused.) */
    if (!inherits || outer_tid(finder->target, owner) != finder->threads->threads[index].tid)
        owner_set(finder, index, owner);
}

void object_mutex(struct finder *finder, size_t index, const struct futex_call *call)
{
    bool inherits = call->command != FUTEX_WAIT && call->command != FUTEX_WAIT_BITSET;
    object_mutex_at(finder, index, call->address, inherits);
}

/* Where the rwlock begins that CALL waits in: readers wait for a phase or, where writers
 * come first, on the count of readers; writers for a phase or for another writer. */
static uint64_t rwlock_start(const struct futex_call *call, bool writes)
{
    size_t offset = offsetof(pthread_rwlock_t, __data.__wrphase_futex);
    if (writes && (call->value & 1))
        offset = offsetof(pthread_rwlock_t, __data.__writers_futex);
    if (!writes && call->value != READERS_WAIT_WITH)
        offset = offsetof(pthread_rwlock_t, __data.__readers);
    return call->address - offset;
}

void object_rwlock(struct finder *finder, size_t index, const struct futex_call *call, bool writes)
{
    struct wait *wait = &finder->set->waits[index];
    struct clue *clue = &finder->clues[index];
    wait->kind = WAIT_RWLOCK;
    wait->object = rwlock_start(call, writes);
    clue->what = "rwlock";
    clue->type = writes ? "to write" : "to read";
    clue->relation = "held by";
    pthread_rwlock_t rwlock;
    if (!target_read_all(finder->target, wait->object, &rwlock, sizeof rwlock))
        return;
    clue->shared = rwlock.__data.__shared != 0;
    if (clue_read(finder, clue, RWLOCK_WORD(wait->object, __cur_writer), 4) && clue->word != 0)
        owner_set(finder, index, (pid_t)clue->word);
    else if (!(rwlock.__data.__readers & WRITING_PHASE) &&
             rwlock.__data.__readers >> READER_SHIFT > 0)
        clue->owner = "readers";
}

/* Where glibc keeps a thread's id in its struct pthread: where it is in our own, this
 * thread having been made by that library, or by one of the same build. */
static uint64_t tid_offset(struct finder *finder)
{
    const char *self = (const char *)(uintptr_t)pthread_self();
    pid_t tid = gettid();
    for (size_t at = 64; finder->tid_offset == 0 && at < SELF_SEARCH; at += sizeof tid)
        if (memcmp(self + at, &tid, sizeof tid) == 0)
            finder->tid_offset = at;
    return finder->tid_offset;
}

/* Whether a struct pthread is at ADDRESS: on x86-64 it points to itself, twice. */
static bool is_thread_object(struct finder *finder, uint64_t address)
{
#if defined(__x86_64__)
    uint64_t words[3];
    return target_read_all(finder->target, address, words, sizeof words) && words[0] == address &&
           words[2] == address;
#else
    (void)finder;
    return address != 0;
#endif
}

/* The id of the thread whose struct pthread is at ADDRESS, as the target has it; 0. */
static pid_t thread_of_object(struct finder *finder, uint64_t address)
{
    pid_t tid;
    uint64_t offset = tid_offset(finder);
    if (offset == 0 || address % 16 != 0 || !is_thread_object(finder, address) ||
        !target_read_all(finder->target, address + offset, &tid, sizeof tid) ||
        owner_index(finder, tid) == SIZE_MAX)
        return 0;
    return tid;
}

/* As in glibc's sysdeps/nptl/stdio-lock.h. */
struct stream_lock {
    int lock;
    int count;
    uint64_t owner; /* a struct pthread */
};

bool object_is_stdio(struct finder *finder, const struct futex_call *call)
{
    struct stream_lock lock;
    return !call->shared && target_read_all(finder->target, call->address, &lock, sizeof lock) &&
           lock.count > 0 && thread_of_object(finder, lock.owner) != 0;
}

void object_stdio(struct finder *finder, size_t index, const struct futex_call *call)
{
    struct wait *wait = &finder->set->waits[index];
    struct clue *clue = &finder->clues[index];
    wait->kind = WAIT_STDIO;
    wait->object = call->address;
    clue->what = "stdio lock";
    clue->relation = "held by";
    uint64_t owner = call->address + offsetof(struct stream_lock, owner);
    if (clue_read(finder, clue, owner, 8))
        owner_set(finder, index, thread_of_object(finder, clue->word));
}

bool object_is_joined(struct finder *finder, const struct futex_call *call)
{
    pid_t tid = (pid_t)call->value;
    uint64_t offset = tid_offset(finder);
    return call->shared && offset != 0 && owner_index(finder, tid) != SIZE_MAX &&
           thread_of_object(finder, call->address - offset) == tid;
}

void object_joined(struct finder *finder, size_t index, const struct futex_call *call)
{
    struct wait *wait = &finder->set->waits[index];
    struct clue *clue = &finder->clues[index];
    wait->kind = WAIT_JOIN;
    wait->object = call->address;
    clue->what = "end of thread";
    clue->kernel_helps = true; /* it clears the word when the thread ends */
    if (clue_read(finder, clue, call->address, 4) && clue->word == call->value)
        owner_set(finder, index, (pid_t)clue->word);
}
