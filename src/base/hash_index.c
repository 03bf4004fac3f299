/* hash_index.c: open addressing with linear probing; see hash_index.h.
 *
 * A slot is eight bytes and holds half of the hash, so a probe that misses
 * never touches the entry. What outgrows its room is copied and the old room
 * stays in the arena: at most as much again, and it is gone with the profile. */
#include "base/hash_index.h"

#include "base/arena.h"

#include <string.h>

#define FIRST_CAPACITY 64u
#define LAST_CAPACITY (UINT32_C(1) << 30)

uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    uint64_t hash = hash_word(seed, length);
    uint64_t word;
    for (; length >= sizeof word; from += sizeof word, length -= sizeof word) {
        memcpy(&word, from, sizeof word);
        hash = hash_word(hash, word);
    }
    word = 0;
    memcpy(&word, from, length);
    return hash_word(hash, word);
}

uint32_t hash_index_find(const struct hash_index *index, uint64_t hash, hash_equal *equal,
                         const void *within, const void *key)
{
    if (index->capacity == 0)
        return HASH_NONE;
    uint32_t mask = index->capacity - 1;
    uint32_t half = (uint32_t)(hash >> 32);
    for (uint32_t at = half & mask; index->slots[at].entry != HASH_NONE; at = (at + 1) & mask)
        if (index->slots[at].hash == half && equal(within, index->slots[at].entry, key))
            return index->slots[at].entry;
    return HASH_NONE;
}

static void put(struct hash_index *index, struct hash_slot slot)
{
    uint32_t mask = index->capacity - 1;
    uint32_t at = slot.hash & mask;
    while (index->slots[at].entry != HASH_NONE)
        at = (at + 1) & mask;
    index->slots[at] = slot;
}

static bool grow(struct hash_index *index, struct arena *arena)
{
    if (index->capacity >= LAST_CAPACITY)
        return false;
    struct hash_index larger = {
        .capacity = index->capacity ? index->capacity * 2 : FIRST_CAPACITY,
        .count = index->count,
    };
    larger.slots = arena_array(arena, larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    memset(larger.slots, 0xff, larger.capacity * sizeof *larger.slots); /* HASH_NONE */
    for (uint32_t i = 0; i < index->capacity; i++)
        if (index->slots[i].entry != HASH_NONE)
            put(&larger, index->slots[i]);
    *index = larger;
    return true;
}

bool hash_index_insert(struct hash_index *index, struct arena *arena, uint64_t hash, uint32_t entry)
{
    if (index->count >= index->capacity / 4 * 3 && !grow(index, arena))
        return false;
    put(index, (struct hash_slot){ .hash = (uint32_t)(hash >> 32), .entry = entry });
    index->count++;
    return true;
}

void *array_reserve(struct arena *arena, void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return array;
    if (count >= HASH_NONE / 2)
        return NULL;
    size_t larger = *capacity ? *capacity * 2 : 64;
    void *grown = arena_array(arena, larger, size);
    if (!grown)
        return NULL;
    if (count > 0)
        memcpy(grown, array, count * size);
    *capacity = larger;
    return grown;
}
