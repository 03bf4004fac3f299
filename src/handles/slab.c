/* slab.c: how a list of items grows; see slab.h.
 *
 * By chunks. When the directory of them is full, one of twice the size takes its place; the old one
 * keeps what it had, for a reader that has its address. */
#include "handles/slab.h"

#include "handles/memory.h"

#include <stdbool.h>
#include <string.h>

#define DIRECTORY_FIRST 8u /* a line of the cache */

static bool directory_grow(struct handle_slab *slab)
{
    uint32_t capacity = slab->capacity ? slab->capacity * 2 : DIRECTORY_FIRST;
    uint64_t *made = memory_take(capacity * sizeof *made);
    if (!made)
        return false;
    if (slab->capacity)
        memcpy(made, (const void *)(uintptr_t)slab->directory, slab->capacity * sizeof *made);
    slab->directory = (uintptr_t)made;
    slab->capacity = capacity;
    return true;
}

uint32_t slab_extend(struct handle_slab *slab, size_t size)
{
    if (slab->count == UINT32_MAX)
        return 0;
    uint32_t chunk = slab->count / SLAB_CHUNK;
    if (chunk == slab->capacity && !directory_grow(slab))
        return 0;
    uint64_t *directory = (uint64_t *)(uintptr_t)slab->directory;
    if (directory[chunk] == 0)
        directory[chunk] = (uintptr_t)memory_take(SLAB_CHUNK * size);
    return directory[chunk] ? ++slab->count : 0;
}
