/* labels.c: the calls on labels; see labels.h and include/snag/snag.h.
 *
 * A change of labels forgets the number of their set, as the last thing before the version is even
 * again: a signal handler amid the change adds its handle under the labels that were. */
#include "labels/labels.h"

#include "labels/sets.h"
#include "labels/slots.h"
#include "labels/text.h"

#include <snag/snag.h>

#include <errno.h>

void snag_label_set(const char *key, const char *value)
{
    if (!key || !value || key[0] == 0)
        return;
    int before = errno;
    struct label_words words;
    label_words_make(&words, key, value);
    struct label_slot *slot = label_slot_open();
    if (slot && !label_text_has(slot, &words) && label_slot_change(slot)) {
        label_text_put(slot, &words);
        label_slot_changed(slot);
    }
    errno = before;
}

void snag_label_clear(const char *key)
{
    struct label_slot *slot = atomic_load_explicit(&label_slot_here, memory_order_relaxed);
    if (!slot)
        return;
    struct label_words words;
    label_words_make(&words, key ? key : "", "");
    bool has = key ? label_text_knows(slot, &words) : slot->count > 0 || slot->left_out > 0;
    if (!has || !label_slot_change(slot))
        return;
    if (key)
        label_text_remove(slot, &words);
    else
        label_text_clear(slot);
    label_slot_changed(slot);
}

static __attribute__((noinline)) uint32_t find_number(struct label_slot *slot)
{
    if (atomic_load_explicit(&slot->version, memory_order_relaxed) % 2)
        return LABEL_SET_OTHER;
    if (slot->count == 0 && slot->left_out == 0)
        return LABEL_SET_NONE;
    int before = errno;
    uint32_t number = label_set_number(slot);
    atomic_store_explicit(&slot->set, number, memory_order_relaxed);
    errno = before;
    return number;
}

uint32_t label_set_here(void)
{
    struct label_slot *slot = atomic_load_explicit(&label_slot_here, memory_order_relaxed);
    if (!slot)
        return LABEL_SET_NONE;
    uint32_t number = atomic_load_explicit(&slot->set, memory_order_relaxed);
    return number != LABEL_SET_NONE ? number : find_number(slot);
}
