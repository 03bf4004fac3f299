/* stack_store.h: stacks kept between dumps, each distinct one once.
 *
 * Ten thousand threads mostly hang in a few places. A stack is in the store as
 * long as a thread record refers to it, and is copied into a dump once,
 * whatever the number of threads that have it. */
#ifndef SNAG_SOURCES_STACK_STORE_H
#define SNAG_SOURCES_STACK_STORE_H

#include <stddef.h>
#include <stdint.h>

struct arena;

struct kept_stack {
    struct kept_stack *next;
    uint64_t hash;
    size_t references;
    uint64_t dump; /* number of the dump that `copy` is in */
    const uint64_t *copy;
    size_t count;
    uint64_t frames[];
};

struct stack_store { /* all zero: empty */
    struct kept_stack **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

/* The stack of these frames, with one reference more; NULL without memory. */
struct kept_stack *stack_store_get(struct stack_store *store, const uint64_t *frames, size_t count);

/* Gives a reference back; STACK may be NULL. */
void stack_store_put(struct stack_store *store, struct kept_stack *stack);

/* Frees an empty store: every reference has been given back. */
void stack_store_free(struct stack_store *store);

/* The frames of STACK in the arena of dump number DUMP; NULL without memory. */
const uint64_t *kept_stack_copy(struct kept_stack *stack, struct arena *arena, uint64_t dump);

#endif
