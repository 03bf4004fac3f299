/* pool.h: every stack once, numbered; the layout that the engine reads.
 *
 *     number --places--> place --chunks--> node { hash, count, frames ... }
 *     hash   --index---> number
 *
 * A frame is as in base/stack.h, and in the bits that no address has stands the number of the
 * guest whose code it is in: of a library that came by dlopen and may be gone by the time that
 * somebody reads this, another one lying in its place.
 *
 * Written by service threads without locks, in this order: the node, its
 * place, then its number in the index, published by release. Nothing
 * is ever taken out, so whoever has a number may read its node for ever. The engine reads
 * all of it from outside (sources/stack_pool.c), as does `snag` from another
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

#define FRAME_GUEST_SHIFT 48
#define FRAME_GUEST_MASK UINT64_C(0x7fff) /* behind the shift */
#define GUEST_NONE 0u                     /* code that is there for ever */
#define GUEST_UNKNOWN 0x7fffu             /* one that there was no room for */
#define POOL_GUESTS 1024u                 /* numbered from 1 */

/* A library that came by dlopen, as it was when its code was first met on a stack. */
struct stack_guest {
    _Atomic uint32_t ready; /* 1: all is written */
    uint32_t build_id_size;
    uint64_t start; /* of its mapping */
    uint64_t end;
    uint64_t bias;
    uint64_t label; /* a hash of its build id, or of its headers */
    unsigned char build_id[32];
    char path[184]; /* as the loader has it; cut, "" unknown */
};

struct stack_pool {
    _Atomic uint32_t count;       /* numbers given out, the two special ones too */
    _Atomic uint32_t used;        /* words of the chunks given out */
    _Atomic uint64_t refused;     /* stacks that had no room */
    _Atomic uint32_t guest_count; /* of `guests`, the last of which may not be ready */
    uint32_t unused;
    _Atomic uint64_t chunks[POOL_CHUNKS]; /* addresses; 0 not there yet */
    _Atomic uint32_t places[POOL_STACKS]; /* by number: chunk * POOL_CHUNK_WORDS + word */
    _Atomic uint64_t index[POOL_INDEX];   /* hash << 32 | number; 0 free */
    struct stack_guest guests[POOL_GUESTS];
};

#endif
