/* inventories.h: inventories of live handles, with who holds them, how many, how old, how large.
 *
 * The service's threads keep counts by stack in its memory (src/handles), so a dump costs as much
 * as there are stacks, not handles. What belongs together comes from one moment of a
 * shard: see inventories_shard.h for how, and for what is said where it cannot be had.
 *
 * Ages are known by cohort: handles of one stack that came at about the same time. How many
 * they are, their summed age and their summed bytes are exact; a cohort is told from its
 * neighbours by a width of at most half its age. A whole cohort counts in the bucket of its mean
 * age: so the mean age of what a bucket holds lies within it, sums over buckets are exact, and only
 * a handle whose age is within half of itself from the edge of a bucket may be in the
 * one beside. */
#ifndef SNAG_SOURCES_INVENTORIES_H
#define SNAG_SOURCES_INVENTORIES_H

#include "base/arena.h"
#include "sources/labels.h"
#include "sources/stack_pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INVENTORY_NAME_SIZE 72
#define OLDEST_HANDLES 5    /* of each holder, with details */
#define AGE_BUCKETS_MAX 12u /* 0, 1, 10 ... 10^10 seconds */

/* Handles between this age and ten times it; of 0, up to a second. */
struct age_bucket {
    uint64_t at_least_s; /* 0, or a power of ten */
    uint64_t count;
    uint64_t age_sum_ms; /* of all together */
    uint64_t bytes;
};

struct old_handle {
    uint64_t handle;
    uint64_t bytes;
    uint64_t age_ns;
};

/* Handles that were added by one stack, under the same labels. */
struct handle_holding {
    struct pooled_stack stack; /* frames in the dump's arena; the same pointer for the same stack */
    bool is_other;             /* of several stacks, that had no room in the pool */
    struct label_list labels;  /* in the dump's arena */
    uint64_t count;            /* at least 1 */
    uint64_t age_sum_ms;       /* of all together */
    uint64_t bytes;
    uint64_t oldest_least_ns; /* the oldest one's age lies between these two */
    uint64_t oldest_most_ns;
    uint64_t since_count; /* with details: how many were added at the wish's time or later ... */
    uint64_t since_bytes; /* ... and their bytes */
    const struct age_bucket *ages; /* youngest first, none of them empty */
    size_t age_count;
    const struct old_handle *oldest; /* oldest first; read a moment later than the rest */
    size_t oldest_count;             /* 0 without details */
};

/* Removes of what was not live. */
struct wrong_remove {
    struct pooled_stack stack;
    uint64_t times;  /* that this stack did it */
    uint64_t handle; /* the first time ... */
    uint64_t ago_ns; /* ... how long ago ... */
    pid_t tid;       /* ... and in which thread; 0: it has ended, in a pid namespace */
};

struct inventory_dump {
    const char *name;
    uint64_t live;
    uint64_t bytes;
    uint64_t age_sum_ms;
    struct handle_holding *holdings; /* most handles first */
    size_t count;                    /* of these */
    uint64_t double_adds;            /* adds of what was live */
    uint64_t lost;                   /* adds that could not be recorded */
    uint64_t wrong_removes;          /* in all */
    struct wrong_remove *wrong_remove_list;
    size_t wrong_remove_count; /* of the list: of different stacks */
};

struct handle_dump {
    struct arena arena; /* owns all below */
    struct inventory_dump *inventories;
    size_t count;
    uint64_t live;    /* in all of them */
    uint64_t time_ns; /* CLOCK_REALTIME */
    uint64_t took_ns;
    bool with_details;
    uint64_t stacks_refused; /* that had no room in the pool */
    size_t shards;           /* looked at */
    size_t shards_locked;    /* their lock could not be had in time; read all the same */
    size_t shards_changing;  /* ... and they changed while they were read, again and again: their
                                numbers need not be of one moment */
    size_t shards_unreadable;
};

struct inventory_source;
struct modules;
struct target;

/* LABELS may be NULL: no holder has any then. All must outlive it. NULL without memory. */
struct inventory_source *inventory_source_new(struct target *target, struct modules *modules,
                                              struct labels *labels);
void inventory_source_free(struct inventory_source *source);

/* How many inventories there are in the tables at ROOT (struct handle_root in the target). They are
 * numbered from 1, and none ever goes. 0 when there are no tables. */
unsigned inventory_source_count(struct inventory_source *source, uint64_t root);

/* The name of inventory NUMBER; false when there is none. */
bool inventory_source_name(struct inventory_source *source, uint64_t root, unsigned number,
                           char name[INVENTORY_NAME_SIZE]);

/* How many handles are live in inventory NUMBER, 0 for all of them; -ENOENT. */
long inventory_source_live(struct inventory_source *source, uint64_t root, unsigned number);

struct inventory_wish {
    uint64_t root;        /* struct handle_root in the target; 0: no inventories */
    uint64_t labels_root; /* struct label_root */
    unsigned number;      /* of the one inventory; 0: all */
    bool with_details;    /* the oldest handles too: reads every record */
    uint64_t since_ns;    /* CLOCK_MONOTONIC: the details are of handles added then or later only */
};

/* Makes one dump. 0, or a negative errno with *DUMP untouched. */
int inventory_source_dump(struct inventory_source *source, const struct inventory_wish *wish,
                          struct handle_dump **dump);
void handle_dump_free(struct handle_dump *dump);

/* Gives back the memory that is kept between dumps. */
void inventory_source_trim(struct inventory_source *source);

#endif
