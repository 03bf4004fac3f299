/* fds_openers.c: the openers of descriptors, from tracking; see fds_openers.h.
 *
 * Tracking's stacks are its own until its next refresh, a dump's are for good: each is
 * copied once, however many descriptors it opened. What tracking knows is of the calls that
 * passed it; a number that was opened again past it must not show its former opener. */
#include "sources/fds_openers.h"

#include "base/hash_index.h"
#include "sources/fds.h"
#include "sources/fds_kinds.h"

#include <string.h>

struct kept_stack {
    const uint64_t *frames;
    size_t count;
};

struct kept_stacks {
    struct kept_stack *stacks;
    size_t count;
    size_t capacity;
    struct hash_index index;
};

static bool stack_equal(const void *within, uint32_t entry, const void *key)
{
    const struct kept_stack *kept = &((const struct kept_stack *)within)[entry];
    const struct origin *origin = key;
    return kept->count == origin->frame_count &&
           memcmp(kept->frames, origin->frames, kept->count * sizeof *kept->frames) == 0;
}

/* The copy of ORIGIN's frames; NULL without memory. */
static const uint64_t *keep(struct kept_stacks *kept, struct arena *arena,
                            const struct origin *origin)
{
    size_t size = origin->frame_count * sizeof *origin->frames;
    uint64_t hash = hash_bytes(0, origin->frames, size);
    uint32_t found = hash_index_find(&kept->index, hash, stack_equal, kept->stacks, origin);
    if (found != HASH_NONE)
        return kept->stacks[found].frames;
    struct kept_stack *stacks =
        array_reserve(arena, kept->stacks, &kept->capacity, kept->count, sizeof *stacks);
    uint64_t *copy = arena_alloc(arena, size);
    if (!stacks || !copy || !hash_index_insert(&kept->index, arena, hash, (uint32_t)kept->count))
        return NULL;
    memcpy(copy, origin->frames, size);
    kept->stacks = stacks;
    stacks[kept->count++] = (struct kept_stack){ copy, origin->frame_count };
    return copy;
}

static bool find(struct tracking *tracking, struct descriptor *descriptor)
{
    const char *link = descriptor->kind == kind_memfd ? "/memfd:" : descriptor->target;
    return tracking_fd(tracking, descriptor->fd, &descriptor->origin) &&
           (descriptor->kind == kind_unknown || tracking_fits(&descriptor->origin, link));
}

void fd_openers_find(struct fd_dump *dump, struct tracking *tracking)
{
    struct kept_stacks kept = { 0 };
    dump->tracked = tracking && tracking_refresh(tracking);
    for (size_t i = 0; dump->tracked && i < dump->count; i++) {
        struct descriptor *descriptor = &dump->descriptors[i];
        struct origin *origin = &descriptor->origin;
        descriptor->has_origin = find(tracking, descriptor);
        if (!descriptor->has_origin) {
            *origin = (struct origin){ 0 };
        } else if (origin->frame_count > 0) {
            origin->frames = keep(&kept, &dump->arena, origin);
            origin->frame_count = origin->frames ? origin->frame_count : 0;
        }
    }
}
