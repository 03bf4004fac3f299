/* memory.c: memory for inventories; see memory.h.
 *
 * From the system by blocks, the first ones small, and out of a block from its start: without
 * locks, so that it works in a signal handler and is whole in a child of fork. Nothing comes from
 * malloc, which may be the one that calls. A page that is not written yet costs
 * nothing, so half of a large block is not wasted. */
#include "handles/memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#define BLOCK_FIRST ((size_t)64 << 10)
#define BLOCK_LAST ((size_t)4 << 20)
#define PAGE ((size_t)4096)

struct block {
    size_t size;
    _Atomic size_t used; /* beyond `size` once somebody found it too small */
};

static _Atomic(struct block *) current;

static void *pages(size_t size)
{
    int before = errno;
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = before;
    return made == MAP_FAILED ? NULL : made;
}

static void *from_block(struct block *block, size_t size)
{
    size_t at = atomic_fetch_add_explicit(&block->used, size, memory_order_relaxed);
    return at + size <= block->size ? (char *)block + at : NULL;
}

/* Another block in place of FULL, unless somebody else was first; false without memory. */
static bool block_add(struct block *full)
{
    size_t size = !full ? BLOCK_FIRST : full->size < BLOCK_LAST ? full->size * 2 : BLOCK_LAST;
    struct block *made = pages(size);
    if (!made)
        return false;
    made->size = size;
    atomic_store_explicit(&made->used, MEMORY_LINE, memory_order_relaxed);
    if (!atomic_compare_exchange_strong(&current, &full, made))
        munmap(made, size);
    return true;
}

void *memory_take(size_t size)
{
    size = (size + MEMORY_LINE - 1) & ~(size_t)(MEMORY_LINE - 1);
    if (size > BLOCK_FIRST / 4) /* by itself: most of a block would be left over */
        return pages((size + PAGE - 1) & ~(PAGE - 1));
    for (;;) {
        struct block *block = atomic_load_explicit(&current, memory_order_acquire);
        void *taken = block ? from_block(block, size) : NULL;
        if (taken)
            return taken;
        if (!block_add(block))
            return NULL;
    }
}
