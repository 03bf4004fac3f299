/* sets.c: every set of labels once, numbered; see sets.h.
 *
 * Made as the pool of stacks is (stacks/pool.c): who meets a new set writes it, and then tries to
 * put its number into the index. Of two that do so at the same time the first one is the
 * set, and the other's number is used by nobody. Nothing is taken out. */
#include "labels/sets.h"

#include "labels/slots.h"

#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>

#define INDEX (2 * LABEL_SETS) /* at most half are taken */

static _Atomic uint64_t found_at[INDEX]; /* hash << 32 | number; 0 free */

static struct label_set *set_at(uint32_t place)
{
    uint64_t chunk = atomic_load_explicit(&snag_labels_root.set_chunks[place / LABEL_SET_CHUNK],
                                          memory_order_relaxed);
    return (struct label_set *)(uintptr_t)(chunk + place % LABEL_SET_CHUNK);
}

/* Both the text and how much is missing from it make a set. */
static uint32_t hash_of(const struct label_slot *slot)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ slot->left_out; /* FNV-1a */
    for (size_t i = 0; i < slot->length; i++)
        hash = (hash ^ (unsigned char)slot->text[i]) * UINT64_C(1099511628211);
    return (uint32_t)(hash >> 32 ^ hash);
}

static uint8_t left_out_of(const struct label_slot *slot)
{
    return slot->left_out < UINT8_MAX ? (uint8_t)slot->left_out : UINT8_MAX;
}

static bool is_same(uint32_t number, const struct label_slot *slot)
{
    const struct label_set *set =
        set_at(atomic_load_explicit(&snag_labels_root.set_places[number], memory_order_relaxed));
    return set->length == slot->length && set->left_out == left_out_of(slot) &&
           memcmp(set->text, slot->text, slot->length) == 0;
}

/* Takes SIZE bytes in a row; false when there is no more. */
static bool take_bytes(uint32_t size, uint32_t *place)
{
    uint32_t used = atomic_load_explicit(&snag_labels_root.set_bytes, memory_order_relaxed);
    do {
        *place = used;
        if (used % LABEL_SET_CHUNK + size > LABEL_SET_CHUNK)
            *place = (used / LABEL_SET_CHUNK + 1) * LABEL_SET_CHUNK;
        if (*place + size > LABEL_SET_CHUNKS * LABEL_SET_CHUNK)
            return false;
    } while (!atomic_compare_exchange_weak(&snag_labels_root.set_bytes, &used, *place + size));
    _Atomic uint64_t *chunk = &snag_labels_root.set_chunks[*place / LABEL_SET_CHUNK];
    uint64_t there = atomic_load_explicit(chunk, memory_order_acquire);
    if (there != 0)
        return true;
    void *made =
        mmap(NULL, LABEL_SET_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return false;
    if (!atomic_compare_exchange_strong(chunk, &there, (uint64_t)(uintptr_t)made))
        munmap(made, LABEL_SET_CHUNK); /* another thread was first */
    return true;
}

static bool take_number(uint32_t *number)
{
    uint32_t count = atomic_load_explicit(&snag_labels_root.set_count, memory_order_relaxed);
    do {
        *number = count < LABEL_SET_FIRST ? LABEL_SET_FIRST : count;
        if (*number >= LABEL_SETS)
            return false;
    } while (!atomic_compare_exchange_weak(&snag_labels_root.set_count, &count, *number + 1));
    return true;
}

/* Writes a set, with a number that nobody knows yet; false when there is no room. */
static bool write_set(uint32_t hash, const struct label_slot *slot, uint32_t *number)
{
    uint32_t place;
    size_t align = alignof(uint64_t);
    size_t size = (sizeof(struct label_set) + slot->length + align - 1) / align * align;
    if (!take_bytes((uint32_t)size, &place) || !take_number(number))
        return false;
    struct label_set *set = set_at(place);
    set->hash = hash;
    set->length = slot->length;
    set->count = (uint8_t)slot->count;
    set->left_out = left_out_of(slot);
    memcpy(set->text, slot->text, slot->length);
    atomic_store_explicit(&snag_labels_root.set_places[*number], place, memory_order_relaxed);
    return true;
}

static uint32_t refuse(void)
{
    atomic_fetch_add_explicit(&snag_labels_root.sets_refused, 1, memory_order_relaxed);
    return LABEL_SET_OTHER;
}

uint32_t label_set_number(const struct label_slot *slot)
{
    uint32_t hash = hash_of(slot);
    uint32_t own = LABEL_SET_NONE;
    for (uint32_t at = hash % INDEX;; at = (at + 1) % INDEX) {
        uint64_t entry = atomic_load_explicit(&found_at[at], memory_order_acquire);
        if (entry == 0) {
            if (own == LABEL_SET_NONE && !write_set(hash, slot, &own))
                return refuse();
            uint64_t mine = (uint64_t)hash << 32 | own;
            /* release: the set is written before anybody finds its number */
            if (atomic_compare_exchange_strong_explicit(&found_at[at], &entry, mine,
                                                        memory_order_release, memory_order_acquire))
                return own;
        }
        if (entry >> 32 == hash && is_same((uint32_t)entry, slot))
            return (uint32_t)entry;
    }
}
