/* handle_tables.c: inventories filled by hand; see handle_tables.h.
 *
 * Chunks are laid apart from each other, so that nobody who reads them can take them for one
 * piece. */
#include "handle_tables.h"

#include "stacks/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define DIRECTORY 65536u /* chunks of a slab */
#define APART 64u        /* bytes between two chunks */

/* Shared with a child, for a reader in another process: the pages are the parent's. */
static void *take(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return memory;
}

static uint64_t address(const void *memory)
{
    return (uint64_t)(uintptr_t)memory;
}

static void *memory_at(uint64_t where)
{
    return (void *)(uintptr_t)where;
}

struct handle_root *tables_new(void)
{
    struct handle_root *root = take(sizeof *root);
    struct stack_pool *pool = take(sizeof *pool);
    root->magic = HANDLES_MAGIC;
    root->version = HANDLES_VERSION;
    root->size = sizeof *root;
    pool->count = STACK_FIRST;
    for (size_t i = 0; i < POOL_CHUNKS; i++)
        pool->chunks[i] = i < 4 ? address(take(POOL_CHUNK_WORDS * sizeof(uint64_t))) : 0;
    root->pool = address(pool);
    return root;
}

uint32_t tables_stack(struct handle_root *root, const uint64_t *frames, uint16_t count)
{
    struct stack_pool *pool = memory_at(root->pool);
    uint32_t need = (uint32_t)NODE_WORDS + count;
    uint32_t place = pool->used;
    if (place / POOL_CHUNK_WORDS != (place + need) / POOL_CHUNK_WORDS)
        place = (place / POOL_CHUNK_WORDS + 1) * POOL_CHUNK_WORDS;
    struct stack_node *node = (struct stack_node *)memory_at(
        pool->chunks[place / POOL_CHUNK_WORDS] + place % POOL_CHUNK_WORDS * sizeof(uint64_t));
    node->count = count;
    memcpy(node->frames, frames, count * sizeof *frames);
    pool->used = place + need;
    pool->places[pool->count] = place;
    return pool->count++;
}

static void slab_make(struct handle_slab *slab)
{
    slab->directory = address(take(DIRECTORY * sizeof(uint64_t)));
    slab->capacity = DIRECTORY;
}

struct inventory *tables_inventory(struct handle_root *root, const char *name, uint32_t shards)
{
    struct inventory *inventory = take(sizeof *inventory);
    const uint32_t size = (sizeof(struct handle_shard) + 127) / 128 * 128;
    snprintf(inventory->name, sizeof inventory->name, "%s", name);
    inventory->shard_count = shards;
    inventory->shard_size = size;
    inventory->shards = address(take((size_t)size * shards));
    for (uint32_t i = 0; i < shards; i++) {
        struct handle_shard *shard = tables_shard(inventory, i);
        slab_make(&shard->records);
        slab_make(&shard->holders);
        slab_make(&shard->cohorts);
    }
    root->inventories[root->count] = address(inventory);
    root->count++;
    return inventory;
}

struct handle_shard *tables_shard(const struct inventory *inventory, uint32_t number)
{
    return memory_at(inventory->shards + (uint64_t)number * inventory->shard_size);
}

static void *item(const struct handle_slab *slab, uint32_t number, size_t size)
{
    const uint64_t *directory = memory_at(slab->directory);
    return memory_at(directory[(number - 1) / SLAB_CHUNK] + (number - 1) % SLAB_CHUNK * size);
}

struct handle_holder *tables_holder(const struct handle_shard *shard, uint32_t number)
{
    return item(&shard->holders, number, sizeof(struct handle_holder));
}

struct handle_cohort *tables_cohort(const struct handle_shard *shard, uint32_t number)
{
    return item(&shard->cohorts, number, sizeof(struct handle_cohort));
}

struct handle_record *tables_record(const struct handle_shard *shard, uint32_t number)
{
    return item(&shard->records, number, sizeof(struct handle_record));
}

static uint32_t extend(struct handle_slab *slab, size_t size)
{
    static char *room;
    static size_t left;
    uint64_t *directory = memory_at(slab->directory);
    uint32_t chunk = slab->count / SLAB_CHUNK;
    if (directory[chunk] == 0) {
        size_t need = SLAB_CHUNK * size + APART;
        if (left < need) {
            left = 8u << 20;
            room = take(left);
        }
        directory[chunk] = address(room);
        room += need;
        left -= need;
    }
    return ++slab->count;
}

uint32_t tables_add_holder(struct handle_shard *shard, uint32_t stack, uint32_t labels)
{
    uint32_t number = extend(&shard->holders, sizeof(struct handle_holder));
    *tables_holder(shard, number) = (struct handle_holder){ .stack = stack, .labels = labels };
    shard->holder_count++;
    return number;
}

uint32_t tables_add_cohort(struct handle_shard *shard, uint32_t holder,
                           const struct handle_cohort *cohort)
{
    uint32_t number = extend(&shard->cohorts, sizeof(struct handle_cohort));
    struct handle_cohort *made = tables_cohort(shard, number);
    *made = *cohort;
    made->older = tables_holder(shard, holder)->cohorts;
    tables_holder(shard, holder)->cohorts = number;
    shard->live += cohort->count;
    return number;
}

uint32_t tables_add_record(struct handle_shard *shard, uint32_t holder, uint64_t handle,
                           uint64_t time_ns, uint64_t bytes)
{
    uint32_t number = extend(&shard->records, sizeof(struct handle_record));
    *tables_record(shard, number) = (struct handle_record){
        .handle = handle, .bytes = bytes, .time_ns = time_ns, .holder = holder
    };
    return number;
}
