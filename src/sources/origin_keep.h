/* origin_keep.h: stacks of origins, kept for as long as a dump.
 *
 * Tracking's stacks are its own until its next refresh, a dump's are for good: each is copied
 * once, however many descriptors it opened or threads it started. */
#ifndef SNAG_SOURCES_ORIGIN_KEEP_H
#define SNAG_SOURCES_ORIGIN_KEEP_H

#include "base/hash_index.h"

struct arena;
struct kept_origin;
struct origin;

/* All zeros to begin with; its memory is the arena's. */
struct origin_keeper {
    struct kept_origin *stacks;
    size_t count;
    size_t capacity;
    struct hash_index index;
};

/* Has ORIGIN's frames be a copy in ARENA, the same one for equal stacks; none without memory. */
void origin_keep(struct origin_keeper *keeper, struct arena *arena, struct origin *origin);

#endif
