/* threads.c: who started each thread; see layout.h.
 *
 * Whoever creates a thread through our pthread_create or thrd_create takes a
 * slot for it, and a copy of its own labels; the thread takes these over and enters its id before
 * its function is called, and gives the slot back at its end, however it ends, by the destructor of
 * a thread-specific value. Free slots are a list; its head carries a tag that grows, so that a slot
 * which was taken and given back meanwhile is not mistaken for one that never moved.
 *
 * Under a sanitizer the function to be called is the sanitizer's, and it does not know the thread
 * before that: so this file is compiled without, and the new thread calls nothing that it stands
 * before (free, for one). */
#include "track/handles.h"
#include "track/track.h"

#include "api/inside.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

static pthread_key_t end_of_thread;
static bool have_key;
static const struct snag_inside *inside;

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
    inside = snag_inside();
    have_key = pthread_key_create(&end_of_thread, thread_ends) == 0;
}

void threads_forget(void)
{
    atomic_store(&snag_track_root.thread_count, 0);
    atomic_store(&snag_track_root.free_thread, 0);
}

/* A slot for the thread that CALL is about to create; NULL when nothing is to be recorded. */
static struct track_thread *slot_for(enum track_call call, const void *frame, uint32_t *number)
{
    struct moment now;
    if (!have_key || !moment_take(&now, frame))
        return NULL;
    int before = errno;
    struct track_thread *slot = take_free(number);
    if (!slot) {
        *number = atomic_fetch_add(&snag_track_root.thread_count, 1);
        slot = slot_at(*number);
    }
    errno = before;
    if (!slot) {
        atomic_fetch_add_explicit(&snag_track_root.lost, 1, memory_order_relaxed);
        return NULL;
    }
    atomic_store_explicit(&slot->epoch, atomic_load(&snag_track_root.epoch), memory_order_relaxed);
    atomic_store_explicit(&slot->call, (uint32_t)call, memory_order_relaxed);
    event_store(&slot->created, &now);
    slot->labels = (uintptr_t)inside->labels_for_thread();
    atomic_store_explicit(&slot->next_free, 0, memory_order_relaxed);
    return slot;
}

/* There is no thread for SLOT after all. */
static void slot_unused(struct track_thread *slot, uint32_t number)
{
    inside->labels_unused((struct label_slot *)(uintptr_t)slot->labels);
    give_back(slot, number);
}

static void *number_as_argument(uint32_t number)
{
    return (void *)(uintptr_t)(number + 1);
}

/* ---- A thread that is listed as a handle (handles.h) begins when it is in the list ---- */

#define NOT_LISTED_YET UINT32_MAX /* in next_free, which is not used while there is a thread */
#define LOOKS 10                  /* in a second: then its creator is not coming back */

static void wait_until_listed(struct track_thread *slot)
{
    const struct timespec look = { .tv_nsec = 100000000 };
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load_explicit(&slot->next_free, memory_order_acquire) != NOT_LISTED_YET)
            return;
        syscall(SYS_futex, &slot->next_free, FUTEX_WAIT_PRIVATE, NOT_LISTED_YET, &look, NULL, 0);
    }
}

/* The slot may be another thread's by the time of the wake-up, which wakes nobody then. */
static void let_begin(struct track_thread *slot)
{
    atomic_store_explicit(&slot->next_free, 0, memory_order_release);
    syscall(SYS_futex, &slot->next_free, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool is_detached(const pthread_attr_t *attributes)
{
    int state = PTHREAD_CREATE_JOINABLE;
    return attributes && pthread_attr_getdetachstate(attributes, &state) == 0 &&
           state == PTHREAD_CREATE_DETACHED;
}

/* Whether SLOT's thread is to be listed; then it waits until let_begin. */
static bool is_to_be_listed(struct track_thread *slot, const pthread_attr_t *attributes,
                            const void *caller)
{
    bool wanted = handles_thread_is_wanted(caller, is_detached(attributes));
    if (wanted)
        atomic_store_explicit(&slot->next_free, NOT_LISTED_YET, memory_order_relaxed);
    return wanted;
}

/* What the new thread does first. */
static __attribute__((noinline)) struct track_thread *begin_thread(void *argument)
{
    struct track_thread *slot = slot_at((uint32_t)(uintptr_t)argument - 1);
    inside->labels_begin((struct label_slot *)(uintptr_t)slot->labels);
    if (pthread_setspecific(end_of_thread, argument) == 0) /* else it could not be given back */
        atomic_store_explicit(&slot->tid, (int32_t)syscall(SYS_gettid), memory_order_release);
    wait_until_listed(slot);
    return slot;
}

/* These two end in a jump to the thread's own function, so that its stack looks as it does without
 * us. */

static void *posix_thread(void *argument)
{
    struct track_thread *slot = begin_thread(argument);
    void *(*start)(void *) = (void *(*)(void *))(uintptr_t)slot->start;
    return start((void *)(uintptr_t)slot->argument);
}

static int iso_thread(void *argument)
{
    struct track_thread *slot = begin_thread(argument);
    int (*start)(void *) = (int (*)(void *))(uintptr_t)slot->start;
    return start((void *)(uintptr_t)slot->argument);
}

INTERPOSE(int, pthread_create,
          (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *),
           void *argument))
{
    uint32_t number;
    struct track_thread *slot = slot_for(CALL_pthread_create, STACK_FRAME, &number);
    if (!slot)
        return REAL(pthread_create)(thread, attributes, start, argument);
    slot->start = (uintptr_t)start;
    slot->argument = (uintptr_t)argument;
    bool listed = is_to_be_listed(slot, attributes, __builtin_return_address(0));
    int status = REAL(pthread_create)(thread, attributes, posix_thread, number_as_argument(number));
    if (status != 0) {
        slot_unused(slot, number);
    } else if (listed) {
        handle_made(HANDLES_THREADS, (const void *)(uintptr_t)*thread);
        let_begin(slot);
    }
    return status;
}

INTERPOSE(int, thrd_create, (thrd_t * thread, thrd_start_t start, void *argument))
{
    uint32_t number;
    struct track_thread *slot = slot_for(CALL_thrd_create, STACK_FRAME, &number);
    if (!slot)
        return REAL(thrd_create)(thread, start, argument);
    slot->start = (uintptr_t)start;
    slot->argument = (uintptr_t)argument;
    bool listed = is_to_be_listed(slot, NULL, __builtin_return_address(0));
    int status = REAL(thrd_create)(thread, iso_thread, number_as_argument(number));
    if (status != thrd_success) {
        slot_unused(slot, number);
    } else if (listed) {
        handle_made(HANDLES_THREADS, (const void *)(uintptr_t)*thread);
        let_begin(slot);
    }
    return status;
}
