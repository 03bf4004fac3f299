/* inherit.c: a new thread begins with its creator's labels; see labels.h.
 *
 * The creator does the work: it has the slot, and room for it is found, before there is a thread.
 * What is left to the thread is to say that it is its own, which calls nothing that
 * waits, allocates or, under a sanitizer, wants to know the thread. */
#include "labels/labels.h"

#include "labels/slots.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Runs in a thread that a sanitizer's runtime has not heard of yet. */
#if defined(__clang__)
#define UNSEEN __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define UNSEEN __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

struct label_slot *labels_for_thread(void)
{
    struct label_slot *mine = atomic_load_explicit(&label_slot_here, memory_order_relaxed);
    if (!mine || (mine->count == 0 && mine->left_out == 0) ||
        atomic_load_explicit(&mine->version, memory_order_relaxed) % 2)
        return NULL;
    int before = errno;
    struct label_slot *slot = label_slot_take();
    if (slot) {
        label_slot_copy(slot, mine);
        slot->inherited_out = slot->left_out;
        slot->left_out_keys = 0;
    }
    errno = before;
    return slot;
}

void labels_unused(struct label_slot *slot)
{
    if (slot)
        label_slot_give_back(slot);
}

UNSEEN void labels_begin(struct label_slot *slot)
{
    void *robust = NULL;
    size_t size;
    if (!slot)
        return;
    if (syscall(SYS_get_robust_list, 0, &robust, &size) != 0)
        robust = NULL;
    slot->robust = (uintptr_t)robust;
    slot->owner = (uintptr_t)&label_slot_here;
    atomic_store_explicit(&label_slot_here, slot, memory_order_relaxed);
    if (atomic_load_explicit(&label_slot_has_key, memory_order_acquire))
        pthread_setspecific(label_slot_key, slot);
    atomic_store_explicit(&slot->tid, (int32_t)syscall(SYS_gettid), memory_order_release);
}
