/* made_up_tables.c: a process whose table of inventories is made up: one shard, whose half a
 * gigabyte of cohorts and holders are the same page over and over, in a ring.
 *
 * Prints "ready" when it is. */
#include "../../src/handles/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNKS (UINT32_C(1) << 17)

/* Where snag looks for it. */
struct handle_root snag_handles_root __attribute__((visibility("default"))) = {
    .magic = HANDLES_MAGIC,
    .version = HANDLES_VERSION,
    .size = sizeof(struct handle_root),
    .count = 1,
};

static struct handle_cohort cohorts[SLAB_CHUNK];
static struct handle_holder holders[SLAB_CHUNK];
static struct handle_shard shard = { .version = 2, .live = UINT64_MAX, .holder_count = UINT32_MAX };
static struct inventory inventory = {
    .name = "made.up",
    .shard_count = 1,
    .shard_size = sizeof shard,
};

static struct handle_slab slab_of(const void *chunk)
{
    uint64_t *directory = malloc(CHUNKS * sizeof *directory);
    if (!directory)
        exit(1);
    for (uint32_t i = 0; i < CHUNKS; i++)
        directory[i] = (uint64_t)(uintptr_t)chunk;
    return (struct handle_slab){
        .directory = (uint64_t)(uintptr_t)directory,
        .capacity = CHUNKS,
        .count = CHUNKS * SLAB_CHUNK,
    };
}

int main(void)
{
    for (uint32_t i = 0; i < SLAB_CHUNK; i++) {
        cohorts[i] = (struct handle_cohort){ .count = 7, .older = (i + 1) % SLAB_CHUNK + 1 };
        holders[i] = (struct handle_holder){ .stack = i, .cohorts = i + 1 };
    }
    shard.cohorts = slab_of(cohorts);
    shard.holders = slab_of(holders);
    inventory.shards = (uint64_t)(uintptr_t)&shard;
    snag_handles_root.inventories[0] = (uint64_t)(uintptr_t)&inventory;
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}
