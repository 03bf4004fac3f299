/* slab.h: lists of records, holders and cohorts, by number; see layout.h. Private to handles/.
 *
 * Numbers are as they are kept: plus one, 0 for none. What was given back is taken first, the
 * last one before the others: its lines are likely in the cache. All of it under the shard's lock.
 */
#ifndef SNAG_HANDLES_SLAB_H
#define SNAG_HANDLES_SLAB_H

#include "handles/layout.h"

#include <stddef.h>
#include <stdint.h>

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define HOT static inline __attribute__((always_inline))

/* Makes room for one more item of SIZE bytes behind the last; 0 when there is no memory, else the
 * new item's number. */
uint32_t slab_extend(struct handle_slab *slab, size_t size);

HOT void *slab_item(const struct handle_slab *slab, uint32_t number, size_t size)
{
    const uint64_t *directory = (const uint64_t *)(uintptr_t)slab->directory;
    uint32_t index = number - 1;
    return (char *)(uintptr_t)directory[index / SLAB_CHUNK] + index % SLAB_CHUNK * size;
}

/* The functions for items of one TYPE, which are linked by LINK while they are free. */
#define SLAB_FUNCTIONS(noun, type, link)                                                           \
    HOT struct type *noun##_at(const struct handle_slab *slab, uint32_t number)                    \
    {                                                                                              \
        return (struct type *)slab_item(slab, number, sizeof(struct type));                        \
    }                                                                                              \
    HOT uint32_t noun##_take(struct handle_slab *slab)                                             \
    {                                                                                              \
        uint32_t number = slab->free;                                                              \
        if (UNLIKELY(number == 0))                                                                 \
            return slab_extend(slab, sizeof(struct type));                                         \
        slab->free = noun##_at(slab, number)->link;                                                \
        return number;                                                                             \
    }                                                                                              \
    HOT void noun##_give(struct handle_slab *slab, uint32_t number)                                \
    {                                                                                              \
        noun##_at(slab, number)->link = slab->free;                                                \
        slab->free = number;                                                                       \
    }

SLAB_FUNCTIONS(record, handle_record, next)
SLAB_FUNCTIONS(holder, handle_holder, next)
SLAB_FUNCTIONS(cohort, handle_cohort, older)

#endif
