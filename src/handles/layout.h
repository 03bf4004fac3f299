/* layout.h: inventories of live handles, as they lie in the service's memory.
 *
 *     root --inventories--> inventory --shards--> shard
 *                                                   records    one per live handle, by its hash
 *                                                   holders    one per stack and labels
 *                                                   cohorts    of a holder: handles of about an age
 *
 * Written by service threads (handles/), read by the engine or by another process
 * (sources/inventories.c) from `snag_handles_root`. A handle belongs to one shard, by its hash, and
 * all that a shard has of it changes under that shard's lock: record, count, age and bytes
 * belong together. So a dump reads each shard's cohorts, as many as there are stacks, not handles.
 *
 * A slab is a list of items that grows and never moves: `directory` is the address of an array of
 * addresses of chunks of SLAB_CHUNK items each. Nothing is unmapped, so an address once read stays
 * good; a directory that was replaced keeps its old contents. References between items are numbers
 * plus one, 0 for none.
 *
 * `version` of a shard is odd while its lock is held for writing, and even and greater afterwards:
 * who reads without the lock (another process) takes what had the same even version before and
 * after. Every change here takes a new HANDLES_VERSION. */
#ifndef SNAG_HANDLES_LAYOUT_H
#define SNAG_HANDLES_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#define HANDLES_MAGIC UINT64_C(0x6c646e6867616e73) /* "snaghndl" */
#define HANDLES_VERSION 1

#define INVENTORIES_MAX 256u
#define INVENTORY_NAME_MAX 64u
#define INVENTORY_SHARDS_MAX 64u
#define WRONG_REMOVES_MAX 16u
#define SLAB_CHUNK 128u

/* A live handle. 32 bytes. */
struct handle_record {
    uint64_t handle;
    uint64_t bytes;
    uint64_t time_ns; /* CLOCK_MONOTONIC, of the coarse clock: 1 to 4 ms behind */
    uint32_t next;    /* in its bucket; of a free record: the next free one */
    uint32_t holder;  /* 0: the record is free */
};

/* Who holds handles: a stack, and the labels that the thread had. */
struct handle_holder {
    uint32_t stack;   /* a number in the pool (stacks/pool.h); STACK_OTHER when that was full */
    uint32_t labels;  /* a set (labels/layout.h); 0 none */
    uint32_t next;    /* in its bucket; of a free holder: the next free one */
    uint32_t cohorts; /* the newest one; 0: no handle now */
};

/* Handles of one holder that came between `from_ns` and the `from_ns` of the next newer cohort.
 * Old cohorts are wide, new ones narrow: neighbours are joined when together they are not wider
 * than half the age of the younger end (as in the exponential histograms of Datar, Gionis, Indyk
 * and Motwani, 2002). The newest of several may be empty. */
struct handle_cohort {
    uint64_t from_ns;  /* CLOCK_MONOTONIC */
    uint64_t later_ns; /* sum over its handles of time_ns - from_ns */
    uint64_t bytes;
    uint32_t count;
    uint32_t older; /* of a free cohort: the next free one */
};

struct handle_slab {
    uint64_t directory;
    uint32_t capacity; /* of the directory, in chunks */
    uint32_t count;    /* items ever used */
    uint32_t free;     /* first free one; 0 none */
    uint32_t unused;
};

struct handle_shard {
    _Atomic uint32_t lock; /* 0 free, 1 taken, 2 taken and somebody sleeps on it (a futex) */
    _Atomic uint32_t version;
    uint64_t live;
    struct handle_slab records;
    struct handle_slab holders;
    struct handle_slab cohorts;
    uint32_t holder_count; /* that are not free */
    uint32_t bucket_count; /* of records */
    uint64_t private[16];  /* how handles and holders are found: for the writer alone */
};

/* A remove of what was not live: the same stack comes once. */
struct handle_wrong_remove {
    _Atomic uint32_t ready; /* 1: all is written but `times`, which grows */
    _Atomic uint32_t stack;
    _Atomic uint64_t times;
    _Atomic uint64_t handle; /* the first time */
    _Atomic uint64_t time_ns;
    _Atomic int32_t tid;
    uint32_t unused;
};

struct inventory {
    char name[INVENTORY_NAME_MAX + 8]; /* ended by 0 */
    uint64_t made_ns;                  /* CLOCK_MONOTONIC */
    uint32_t shard_count;              /* a power of two */
    uint32_t shard_size;               /* bytes from one to the next */
    uint64_t shards;                   /* address of the first struct handle_shard */
    _Atomic uint64_t double_adds;      /* adds of what was live */
    _Atomic uint64_t wrong_removes;    /* removes of what was not, in all */
    _Atomic uint64_t lost; /* adds without memory, or in a signal handler that came amid one */
    _Atomic uint32_t wrong_remove_count; /* of the list, which may still be written */
    uint32_t unused;
    struct handle_wrong_remove wrong_remove[WRONG_REMOVES_MAX];
};

struct handle_root {
    uint64_t magic;
    uint32_t version;
    uint32_t size;          /* of this struct */
    _Atomic uint32_t count; /* of inventories; each is whole before it is counted */
    uint32_t unused;
    _Atomic uint64_t pool; /* address of the struct stack_pool; 0: none yet */
    _Atomic uint64_t inventories[INVENTORIES_MAX];
};

#define HANDLES_ROOT_SYMBOL "snag_handles_root"

#endif
