/* pool.h: every stack once, numbered; the layout that the engine reads.
 *
 *     number --places--> place --chunks--> node { hash, count, frames ... }
 *     hash   --index---> number
 *
 * Written by service threads without locks, in this order: the node, its
 * place, then its number in the index, published by release. Nothing
 * is ever taken out, so whoever has a number may read its node for ever. The engine reads
 * all of it from outside (sources/tracking.c), as does `snag` from another
 * process; so addresses are kept as numbers, and nothing in here is malloc'd.
 *
 * Bounded: 64 Ki stacks, 16 MiB of nodes. What comes after that has the number STACK_OTHER, and
 * is counted. */
#ifndef SNAG_STACKS_POOL_H
#define SNAG_STACKS_POOL_H

#include <stdatomic.h>
#include <stdint.h>

#define STACK_NONE 0u  /* no stack */
#define STACK_OTHER 1u /* one that had no room; no node */
#define STACK_FIRST 2u

#define POOL_STACKS (1u << 16)
#define POOL_INDEX (1u << 17)                /* slots: at most half are taken */
#define POOL_CHUNK_WORDS (UINT32_C(1) << 15) /* 256 KiB */
#define POOL_CHUNKS 64u                      /* 16 MiB */

/* One stack, in words of 8 bytes. */
struct stack_node {
    uint32_t hash;
    uint16_t count; /* of frames */
    uint8_t end;    /* enum stack_end */
    uint8_t unused;
    uint64_t origin;  /* as in struct stack_walk */
    uint64_t time_ns; /* CLOCK_MONOTONIC when it was first seen */
    uint64_t frames[];
};

#define NODE_WORDS (sizeof(struct stack_node) / sizeof(uint64_t))

struct stack_pool {
    _Atomic uint32_t count;               /* numbers given out, the two special ones too */
    _Atomic uint32_t used;                /* words of the chunks given out */
    _Atomic uint64_t refused;             /* stacks that had no room */
    _Atomic uint64_t chunks[POOL_CHUNKS]; /* addresses; 0 not there yet */
    _Atomic uint32_t places[POOL_STACKS]; /* by number: chunk * POOL_CHUNK_WORDS + word */
    _Atomic uint64_t index[POOL_INDEX];   /* hash << 32 | number; 0 free */
};

#endif
