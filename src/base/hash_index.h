/* hash_index.h: from a hash to the number of an entry that is kept elsewhere.
 *
 * Things that are kept once, each in an array (strings, stacks, samples ...); this finds
 * which one equals a key. Entries are never taken out. */
#ifndef SNAG_BASE_HASH_INDEX_H
#define SNAG_BASE_HASH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define HASH_NONE UINT32_MAX

struct hash_slot {
    uint32_t hash;
    uint32_t entry; /* HASH_NONE: free */
};

struct hash_index {
    struct hash_slot *slots; /* a power of two of them, at most 3/4 taken */
    uint32_t capacity;
    uint32_t count;
};

/* Whether ENTRY is the one that KEY describes; WITHIN is where entries are kept. */
typedef bool hash_equal(const void *within, uint32_t entry, const void *key);

/* The entry equal to KEY, or HASH_NONE. */
uint32_t hash_index_find(const struct hash_index *index, uint64_t hash, hash_equal *equal,
                         const void *within, const void *key);

/* Adds ENTRY, which must not be there yet. False without memory. */
bool hash_index_insert(struct hash_index *index, struct arena *arena, uint64_t hash,
                       uint32_t entry);

/* SEED is the hash of what came before, 0 at first. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t length);

/* One step of the above, for a key that is a number. */
static inline uint64_t hash_word(uint64_t seed, uint64_t word)
{
    /* A 64x64 multiply folded onto itself, as in wyhash: every bit of the
     * product depends on all lower bits of both, so fold the halves together. */
    __extension__ typedef unsigned __int128 wide;
    wide product =
        (wide)(seed ^ UINT64_C(0x9e3779b97f4a7c15)) * (word ^ UINT64_C(0xe7037ed1a0b428db));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* ARRAY of COUNT elements of SIZE, moved if it must be, with room for one more; NULL
 * without memory, ARRAY being then as it was. */
void *array_reserve(struct arena *arena, void *array, size_t *capacity, size_t count, size_t size);

#endif
