/* stack_store.c: stacks kept between dumps; see stack_store.h. */
#include "sources/stack_store.h"

#include "base/arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 64

static uint64_t hash_of(const uint64_t *frames, size_t count)
{
    uint64_t hash = count + 1;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ frames[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static struct kept_stack **bucket_of(const struct stack_store *store, uint64_t hash)
{
    return &store->buckets[hash & (store->bucket_count - 1)];
}

static bool grow(struct stack_store *store)
{
    size_t before = store->bucket_count;
    struct kept_stack **old = store->buckets;
    size_t count = before ? before * 2 : FIRST_BUCKETS;
    struct kept_stack **buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return false;
    store->buckets = buckets;
    store->bucket_count = count;
    for (size_t i = 0; i < before; i++)
        while (old[i]) {
            struct kept_stack *stack = old[i];
            old[i] = stack->next;
            struct kept_stack **bucket = bucket_of(store, stack->hash);
            stack->next = *bucket;
            *bucket = stack;
        }
    free(old);
    return true;
}

struct kept_stack *stack_store_get(struct stack_store *store, const uint64_t *frames, size_t count)
{
    if (store->count >= store->bucket_count && !grow(store) && store->bucket_count == 0)
        return NULL;
    uint64_t hash = hash_of(frames, count);
    size_t size = count * sizeof *frames;
    struct kept_stack **bucket = bucket_of(store, hash);
    for (struct kept_stack *stack = *bucket; stack; stack = stack->next)
        if (stack->hash == hash && stack->count == count &&
            memcmp(stack->frames, frames, size) == 0) {
            stack->references++;
            return stack;
        }
    struct kept_stack *stack = malloc(sizeof *stack + size);
    if (!stack)
        return NULL;
    *stack = (struct kept_stack){
        .next = *bucket,
        .hash = hash,
        .references = 1,
        .count = count,
    };
    memcpy(stack->frames, frames, size);
    *bucket = stack;
    store->count++;
    return stack;
}

void stack_store_put(struct stack_store *store, struct kept_stack *stack)
{
    if (!stack || --stack->references > 0)
        return;
    struct kept_stack **at = bucket_of(store, stack->hash);
    while (*at != stack)
        at = &(*at)->next;
    *at = stack->next;
    store->count--;
    free(stack);
}

void stack_store_free(struct stack_store *store)
{
    free(store->buckets);
    *store = (struct stack_store){ 0 };
}

const uint64_t *kept_stack_copy(struct kept_stack *stack, struct arena *arena, uint64_t dump)
{
    if (stack->dump == dump)
        return stack->copy;
    uint64_t *copy = arena_array(arena, stack->count, sizeof *copy);
    if (!copy)
        return NULL;
    memcpy(copy, stack->frames, stack->count * sizeof *copy);
    stack->dump = dump;
    stack->copy = copy;
    return copy;
}
