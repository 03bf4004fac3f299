/* slots.c: a slot for each thread that has labels; see slots.h and layout.h.
 *
 * Free slots are a list; its head carries a tag that grows, so that a slot which was taken and
 * given back meanwhile is not mistaken for one that never moved. A slot is given back at its
 * thread's end by the destructor of a thread-specific value. The slot of a thread that ended past
 * that is shown to nobody (layout.h) and comes back when more are needed: each time, before
 * the table grows, a few slots are asked whether their thread exists.
 *
 * A child of fork begins with an empty table and enters its one thread; it writes no more of the
 * parent's pages than that takes. The key and the fork handler are there before any
 * constructor of the service's, since making them later might wait or allocate. */
#include "labels/slots.h"

#include "labels/labels.h"
#include "labels/text.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOTS (LABEL_SLOT_CHUNK * LABEL_SLOT_CHUNKS)
#define ASKED_AT_ONCE 4

_Thread_local _Atomic(struct label_slot *) label_slot_here
    __attribute__((tls_model("initial-exec")));

pthread_key_t label_slot_key;
_Atomic bool label_slot_has_key;

static _Atomic int32_t process; /* that the tids are of, once there is a slot */
static _Atomic uint32_t next_asked;

/* NULL when it is not there; with MAKE, only without memory. */
static struct label_slot *slot_at(uint32_t number, bool make)
{
    _Atomic uint64_t *at = &snag_labels_root.slot_chunks[number / LABEL_SLOT_CHUNK];
    uint64_t chunk = atomic_load_explicit(at, memory_order_acquire);
    if (chunk == 0) {
        size_t size = LABEL_SLOT_CHUNK * sizeof(struct label_slot);
        void *made =
            make ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                 : MAP_FAILED;
        if (made == MAP_FAILED)
            return NULL;
        if (atomic_compare_exchange_strong(at, &chunk, (uint64_t)(uintptr_t)made))
            chunk = (uint64_t)(uintptr_t)made;
        else
            munmap(made, size); /* another thread was first */
    }
    return (struct label_slot *)(uintptr_t)chunk + number % LABEL_SLOT_CHUNK;
}

static struct label_slot *take_free(uint32_t *number)
{
    uint64_t head = atomic_load_explicit(&snag_labels_root.free_slot, memory_order_acquire);
    uint64_t next;
    struct label_slot *slot;
    do {
        if ((uint32_t)head == 0)
            return NULL;
        *number = (uint32_t)head - 1;
        slot = slot_at(*number, false);
        next =
            ((head >> 32) + 1) << 32 | atomic_load_explicit(&slot->next_free, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&snag_labels_root.free_slot, &head, next,
                                                    memory_order_acq_rel, memory_order_acquire));
    return slot;
}

/* The slot of a thread that is no more, if one of the few that are asked is. */
static struct label_slot *take_left_behind(uint32_t *number)
{
    pid_t pid = getpid();
    uint32_t count = atomic_load_explicit(&snag_labels_root.slot_count, memory_order_relaxed);
    if (count == 0 || pid != atomic_load_explicit(&process, memory_order_relaxed))
        return NULL;
    for (int i = 0; i < ASKED_AT_ONCE; i++) {
        *number = atomic_fetch_add_explicit(&next_asked, 1, memory_order_relaxed) % count;
        struct label_slot *slot = slot_at(*number, false);
        int32_t tid = slot ? atomic_load_explicit(&slot->tid, memory_order_relaxed) : 0;
        if (tid != 0 && syscall(SYS_tgkill, pid, tid, 0) != 0 && errno == ESRCH &&
            atomic_compare_exchange_strong(&slot->tid, &tid, 0))
            return slot;
    }
    return NULL;
}

static struct label_slot *take_new(uint32_t *number)
{
    *number = atomic_load_explicit(&snag_labels_root.slot_count, memory_order_relaxed);
    do {
        if (*number >= SLOTS)
            return NULL;
    } while (!atomic_compare_exchange_weak(&snag_labels_root.slot_count, number, *number + 1));
    if (*number == 0)
        atomic_store(&process, getpid());
    return slot_at(*number, true);
}

struct label_slot *label_slot_take(void)
{
    uint32_t number;
    struct label_slot *slot = take_free(&number);
    if (!slot)
        slot = take_left_behind(&number);
    if (!slot)
        slot = take_new(&number);
    if (!slot) {
        atomic_fetch_add_explicit(&snag_labels_root.slots_refused, 1, memory_order_relaxed);
        return NULL;
    }
    /* Its last owner may have ended amid a change, or have been one of a parent's. */
    uint32_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);
    atomic_store_explicit(&slot->version, version + 2 - version % 2, memory_order_relaxed);
    atomic_store_explicit(&slot->tid, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->next_free, number + 1, memory_order_relaxed);
    atomic_store_explicit(&slot->set, LABEL_SET_NONE, memory_order_relaxed);
    label_text_clear(slot);
    return slot;
}

/* Of a slot that is not free, `next_free` is its own number. */
void label_slot_give_back(struct label_slot *slot)
{
    uint32_t number = atomic_load_explicit(&slot->next_free, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&snag_labels_root.free_slot, memory_order_relaxed);
    uint64_t mine;
    do {
        atomic_store_explicit(&slot->next_free, (uint32_t)head, memory_order_relaxed);
        mine = ((head >> 32) + 1) << 32 | number;
    } while (!atomic_compare_exchange_weak_explicit(&snag_labels_root.free_slot, &head, mine,
                                                    memory_order_release, memory_order_relaxed));
}

struct label_slot *label_slot_open(void)
{
    struct label_slot *slot = atomic_load_explicit(&label_slot_here, memory_order_relaxed);
    if (!slot) {
        slot = label_slot_take();
        labels_begin(slot);
    }
    return slot;
}

bool label_slot_change(struct label_slot *slot)
{
    if (atomic_load_explicit(&slot->version, memory_order_relaxed) % 2)
        return false;
    /* acquire: what is written from here on is written after this */
    atomic_fetch_add_explicit(&slot->version, 1, memory_order_acq_rel);
    return true;
}

void label_slot_changed(struct label_slot *slot)
{
    atomic_store_explicit(&slot->set, LABEL_SET_NONE, memory_order_relaxed);
    atomic_fetch_add_explicit(&slot->version, 1, memory_order_release);
}

void label_slot_copy(struct label_slot *to, const struct label_slot *from)
{
    to->length = from->length;
    to->count = from->count;
    to->left_out = from->left_out;
    to->inherited_out = from->inherited_out;
    to->left_out_keys = from->left_out_keys;
    memcpy(to->text, from->text, from->length);
    atomic_store_explicit(&to->set, atomic_load_explicit(&from->set, memory_order_relaxed),
                          memory_order_relaxed);
}

/* Its labels are of no use to the destructors that come after this; one that sets
 * labels itself makes this one come again. */
static void thread_ends(void *value)
{
    struct label_slot *slot = value;
    if (slot != atomic_load_explicit(&label_slot_here, memory_order_relaxed))
        return;
    atomic_store_explicit(&label_slot_here, NULL, memory_order_relaxed);
    atomic_store_explicit(&slot->tid, 0, memory_order_release);
    label_slot_give_back(slot);
}

static void child_after_fork(void)
{
    struct label_slot *slot = atomic_load_explicit(&label_slot_here, memory_order_relaxed);
    if (!slot && atomic_load(&snag_labels_root.slot_count) == 0)
        return; /* nothing was ever labelled: no page is written, which would be copied */
    atomic_store(&process, getpid());
    if (slot && atomic_load_explicit(&slot->version, memory_order_relaxed) % 2) {
        /* A signal handler forked amid a change, which goes on when it returns. */
        atomic_store(&slot->tid, (int32_t)syscall(SYS_gettid));
        return;
    }
    atomic_store(&snag_labels_root.slot_count, 0);
    atomic_store(&snag_labels_root.free_slot, 0);
    if (!slot)
        return;
    struct label_slot mine;
    label_slot_copy(&mine, slot); /* it may be the very one that is taken */
    slot = label_slot_take();
    if (slot)
        label_slot_copy(slot, &mine);
    atomic_store_explicit(&label_slot_here, NULL, memory_order_relaxed);
    labels_begin(slot);
}

static __attribute__((constructor(101))) void begin(void)
{
    pthread_atfork(NULL, NULL, child_after_fork);
    atomic_store(&label_slot_has_key, pthread_key_create(&label_slot_key, thread_ends) == 0);
}

/* The library may go before the threads do. */
static __attribute__((destructor)) void end(void)
{
    if (atomic_exchange(&label_slot_has_key, false))
        pthread_key_delete(label_slot_key);
}
