/* threads.c: who started each thread; see layout.h.
 *
 * A thread that is created through our pthread_create or thrd_create takes a
 * slot before its function is called, and gives it back at its end, however
 * it ends, by the destructor of a thread-specific value. Free slots are a
 * list; its head carries a tag that grows, so that a slot which was taken and given back meanwhile
 * is not mistaken for one that never moved. */
#include "track/track.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

/* What a new thread is told; it frees it. */
struct birth {
    enum track_call call;
    struct moment created;
    union {
        void *(*posix)(void *);
        int (*iso)(void *);
    } start;
    void *argument;
};

static pthread_key_t end_of_thread;
static bool have_key;

static struct track_thread *slot_at(uint32_t number)
{
    if (number / TRACK_THREAD_CHUNK >= TRACK_THREAD_CHUNKS)
        return NULL;
    _Atomic uint64_t *at = &snag_track_root.thread_chunks[number / TRACK_THREAD_CHUNK];
    uint64_t chunk = atomic_load_explicit(at, memory_order_acquire);
    if (chunk == 0) {
        size_t size = TRACK_THREAD_CHUNK * sizeof(struct track_thread);
        void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (made == MAP_FAILED)
            return NULL;
        if (atomic_compare_exchange_strong(at, &chunk, (uint64_t)(uintptr_t)made))
            chunk = (uint64_t)(uintptr_t)made;
        else
            munmap(made, size); /* another thread was first */
    }
    return (struct track_thread *)(uintptr_t)chunk + number % TRACK_THREAD_CHUNK;
}

/* A slot that was given back; NULL when there is none. */
static struct track_thread *take_free(uint32_t *number)
{
    uint64_t head = atomic_load_explicit(&snag_track_root.free_thread, memory_order_acquire);
    uint64_t next;
    struct track_thread *slot;
    do {
        if ((uint32_t)head == 0)
            return NULL;
        *number = (uint32_t)head - 1;
        slot = slot_at(*number);
        next =
            ((head >> 32) + 1) << 32 | atomic_load_explicit(&slot->next_free, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&snag_track_root.free_thread, &head, next,
                                                    memory_order_acq_rel, memory_order_acquire));
    return slot;
}

static void give_back(struct track_thread *slot, uint32_t number)
{
    uint64_t head = atomic_load_explicit(&snag_track_root.free_thread, memory_order_relaxed);
    uint64_t mine;
    do {
        atomic_store_explicit(&slot->next_free, (uint32_t)head, memory_order_relaxed);
        mine = ((head >> 32) + 1) << 32 | (number + 1);
    } while (!atomic_compare_exchange_weak_explicit(&snag_track_root.free_thread, &head, mine,
                                                    memory_order_release, memory_order_relaxed));
}

/* The value is the slot's number plus one. In a child of fork it may be of the parent's table. */
static void thread_ends(void *value)
{
    uint32_t number = (uint32_t)(uintptr_t)value - 1;
    struct track_thread *slot = slot_at(number);
    if (!slot ||
        atomic_load_explicit(&slot->tid, memory_order_relaxed) != (int32_t)syscall(SYS_gettid))
        return;
    atomic_store_explicit(&slot->tid, 0, memory_order_release);
    give_back(slot, number);
}

void threads_begin(void)
{
    have_key = pthread_key_create(&end_of_thread, thread_ends) == 0;
}

void threads_forget(void)
{
    atomic_store(&snag_track_root.thread_count, 0);
    atomic_store(&snag_track_root.free_thread, 0);
}

static void enter_table(const struct birth *birth)
{
    uint32_t number;
    if (!have_key)
        return;
    struct track_thread *slot = take_free(&number);
    if (!slot) {
        number = atomic_fetch_add(&snag_track_root.thread_count, 1);
        slot = slot_at(number);
    }
    if (!slot || pthread_setspecific(end_of_thread, (void *)(uintptr_t)(number + 1)) != 0) {
        atomic_fetch_add_explicit(&snag_track_root.lost, 1, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(&slot->epoch, atomic_load(&snag_track_root.epoch), memory_order_relaxed);
    atomic_store_explicit(&slot->call, (uint32_t)birth->call, memory_order_relaxed);
    event_store(&slot->created, &birth->created);
    /* Not by who_am_i(): whether this becomes the listener's thread is not known yet. */
    atomic_store_explicit(&slot->tid, (int32_t)syscall(SYS_gettid), memory_order_release);
}

/* Frees BIRTH. */
static __attribute__((noinline)) void begin_thread(struct birth *birth)
{
    enter_table(birth);
    free(birth);
}

/* These two end in a jump to the thread's own function, so that its stack looks as it does without
 * us: nothing of theirs is in memory by then. */

static void *posix_thread(void *argument)
{
    struct birth *birth = argument;
    void *(*start)(void *) = birth->start.posix;
    void *own = birth->argument;
    begin_thread(birth);
    return start(own);
}

static int iso_thread(void *argument)
{
    struct birth *birth = argument;
    int (*start)(void *) = birth->start.iso;
    void *own = birth->argument;
    begin_thread(birth);
    return start(own);
}

/* NULL when nothing is to be recorded, or there is no memory. */
static struct birth *birth_of(enum track_call call, const void *frame)
{
    struct moment now;
    if (!moment_take(&now, frame))
        return NULL;
    struct birth *birth = malloc(sizeof *birth);
    if (birth)
        *birth = (struct birth){ .call = call, .created = now };
    return birth;
}

INTERPOSE(int, pthread_create,
          (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *),
           void *argument))
{
    struct birth *birth = birth_of(CALL_pthread_create, STACK_FRAME);
    if (!birth)
        return REAL(pthread_create)(thread, attributes, start, argument);
    birth->start.posix = start;
    birth->argument = argument;
    int status = REAL(pthread_create)(thread, attributes, posix_thread, birth);
    if (status != 0)
        free(birth);
    return status;
}

INTERPOSE(int, thrd_create, (thrd_t * thread, thrd_start_t start, void *argument))
{
    struct birth *birth = birth_of(CALL_thrd_create, STACK_FRAME);
    if (!birth)
        return REAL(thrd_create)(thread, start, argument);
    birth->start.iso = start;
    birth->argument = argument;
    int status = REAL(thrd_create)(thread, iso_thread, birth);
    if (status != thrd_success)
        free(birth);
    return status;
}
