/* pool.c: every stack once; see pool.h.
 *
 * Whoever meets a new stack writes its node first and then tries to put its
 * number into the index. Two threads that do so for the same stack at the same
 * time write two nodes; the first one into the index is the stack's, and the
 * other's number is used by nobody. */
#include "stacks/pool.h"

#include "stacks/here.h"
#include "stacks/memo.h"
#include "stacks/pool_open.h"
#include "stacks/stacks.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static _Atomic(struct stack_pool *) pool_here;

static void *pages(size_t size)
{
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return made == MAP_FAILED ? NULL : made;
}

struct stack_pool *pool_open(void)
{
    struct stack_pool *pool = atomic_load_explicit(&pool_here, memory_order_acquire);
    if (pool)
        return pool;
    struct stack_pool *made = pages(sizeof *made);
    if (!made)
        return NULL;
    atomic_store_explicit(&made->count, STACK_FIRST, memory_order_relaxed);
    if (atomic_compare_exchange_strong(&pool_here, &pool, made))
        return made;
    munmap(made, sizeof *made); /* another thread was first */
    return pool;
}

const struct stack_pool *stack_pool_of_process(void)
{
    return pool_open();
}

/* The node at PLACE. */
static struct stack_node *node_at(struct stack_pool *pool, uint32_t place)
{
    uint64_t chunk =
        atomic_load_explicit(&pool->chunks[place / POOL_CHUNK_WORDS], memory_order_relaxed);
    return (struct stack_node *)((uint64_t *)(uintptr_t)chunk + place % POOL_CHUNK_WORDS);
}

static bool is_same(struct stack_pool *pool, uint32_t number, const struct stack_walk *walk,
                    const uint64_t *frames)
{
    const struct stack_node *node =
        node_at(pool, atomic_load_explicit(&pool->places[number], memory_order_relaxed));
    if (node->count != walk->count || node->end != walk->end)
        return false;
    uint64_t difference = 0;
    for (size_t i = 0; i < walk->count; i++)
        difference |= node->frames[i] ^ frames[i];
    return difference == 0;
}

/* Takes WORDS in a row; false when there is no more. */
static bool take_words(struct stack_pool *pool, uint32_t words, uint32_t *place)
{
    uint32_t used = atomic_load_explicit(&pool->used, memory_order_relaxed);
    do {
        *place = used;
        if (used % POOL_CHUNK_WORDS + words > POOL_CHUNK_WORDS)
            *place = (used / POOL_CHUNK_WORDS + 1) * POOL_CHUNK_WORDS;
        if (*place + words > POOL_CHUNKS * POOL_CHUNK_WORDS)
            return false;
    } while (!atomic_compare_exchange_weak(&pool->used, &used, *place + words));
    _Atomic uint64_t *chunk = &pool->chunks[*place / POOL_CHUNK_WORDS];
    uint64_t there = atomic_load_explicit(chunk, memory_order_acquire);
    if (there != 0)
        return true;
    size_t size = POOL_CHUNK_WORDS * sizeof(uint64_t);
    void *made = pages(size);
    if (!made)
        return false;
    if (!atomic_compare_exchange_strong(chunk, &there, (uint64_t)(uintptr_t)made))
        munmap(made, size);
    return true;
}

static bool take_number(struct stack_pool *pool, uint32_t *number)
{
    *number = atomic_load_explicit(&pool->count, memory_order_relaxed);
    do {
        if (*number >= POOL_STACKS)
            return false;
    } while (!atomic_compare_exchange_weak(&pool->count, number, *number + 1));
    return true;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Writes a node, with a number that nobody knows yet; false when there is no room. */
static bool write_node(struct stack_pool *pool, uint32_t hash, const struct stack_walk *walk,
                       const uint64_t *frames, uint32_t *number)
{
    uint32_t place;
    if (!take_words(pool, (uint32_t)(NODE_WORDS + walk->count), &place) ||
        !take_number(pool, number))
        return false;
    struct stack_node *node = node_at(pool, place);
    node->hash = hash;
    node->count = (uint16_t)walk->count;
    node->end = (uint8_t)walk->end;
    node->time_ns = now_ns();
    memcpy(node->frames, frames, walk->count * sizeof *frames);
    atomic_store_explicit(&pool->places[*number], place, memory_order_relaxed);
    return true;
}

static uint32_t refuse(struct stack_pool *pool)
{
    atomic_fetch_add_explicit(&pool->refused, 1, memory_order_relaxed);
    return STACK_OTHER;
}

/* *IS_NEW is set to true for a stack that has not come before. */
static uint32_t number_of(struct stack_pool *pool, const struct stack_walk *walk,
                          const uint64_t *frames, bool *is_new)
{
    uint32_t hash = walk->hash;
    uint32_t own = STACK_NONE;
    for (uint32_t at = hash % POOL_INDEX;; at = (at + 1) % POOL_INDEX) {
        uint64_t entry = atomic_load_explicit(&pool->index[at], memory_order_acquire);
        if (entry == 0) {
            if (own == STACK_NONE && !write_node(pool, hash, walk, frames, &own))
                return refuse(pool);
            uint64_t mine = (uint64_t)hash << 32 | own;
            /* release: the node is written before anybody finds its number */
            if (atomic_compare_exchange_strong_explicit(&pool->index[at], &entry, mine,
                                                        memory_order_release,
                                                        memory_order_acquire)) {
                *is_new = true;
                return own;
            }
        }
        if (entry >> 32 == hash && is_same(pool, (uint32_t)entry, walk, frames))
            return (uint32_t)entry;
    }
}

/* HASH is where a memo of the walk belongs. One that comes once only is not worth it. */
static __attribute__((noinline)) uint32_t walk_and_number(const void *frame, unsigned skip,
                                                          uint64_t hash)
{
    uint64_t frames[STACK_FRAMES_MAX];
    struct trail trail;
    bool is_new = false;
    struct stack_pool *pool = pool_open();
    struct stack_walk walk = walk_here(frame, skip, frames, STACK_FRAMES_MAX, &trail);
    if (!pool || walk.count == 0)
        return STACK_OTHER;
    uint32_t number = number_of(pool, &walk, frames, &is_new);
    if (number != STACK_OTHER && !is_new)
        memo_keep(&trail, skip, number, hash);
    return number;
}

uint32_t stack_number(const void *frame, unsigned skip)
{
    struct memo_look look = memo_look((uintptr_t)frame, skip);
    return look.number != 0 ? look.number : walk_and_number(frame, skip, look.hash);
}
