/* origin_keep.c: stacks of origins, each once; see origin_keep.h. */
#include "sources/origin_keep.h"

#include "base/arena.h"
#include "sources/tracking.h"

#include <string.h>

struct kept_origin {
    const uint64_t *frames;
    size_t count;
};

static bool stack_equal(const void *within, uint32_t entry, const void *key)
{
    const struct kept_origin *kept = &((const struct kept_origin *)within)[entry];
    const struct origin *origin = key;
    return kept->count == origin->frame_count &&
           memcmp(kept->frames, origin->frames, kept->count * sizeof *kept->frames) == 0;
}

/* NULL without memory. */
static const uint64_t *copy_of(struct origin_keeper *keeper, struct arena *arena,
                               const struct origin *origin)
{
    size_t size = origin->frame_count * sizeof *origin->frames;
    uint64_t hash = hash_bytes(0, origin->frames, size);
    uint32_t found = hash_index_find(&keeper->index, hash, stack_equal, keeper->stacks, origin);
    if (found != HASH_NONE)
        return keeper->stacks[found].frames;
    struct kept_origin *stacks =
        array_reserve(arena, keeper->stacks, &keeper->capacity, keeper->count, sizeof *stacks);
    uint64_t *copy = arena_alloc(arena, size);
    if (!stacks || !copy ||
        !hash_index_insert(&keeper->index, arena, hash, (uint32_t)keeper->count))
        return NULL;
    memcpy(copy, origin->frames, size);
    keeper->stacks = stacks;
    stacks[keeper->count++] = (struct kept_origin){ copy, origin->frame_count };
    return copy;
}

void origin_keep(struct origin_keeper *keeper, struct arena *arena, struct origin *origin)
{
    if (origin->frame_count == 0)
        return;
    origin->frames = copy_of(keeper, arena, origin);
    origin->frame_count = origin->frames ? origin->frame_count : 0;
}
