/* inventories.c: inventories of live handles; see inventories.h.
 *
 *     inventories_shard.c    one shard, of one moment
 *     inventories_merge.c    holders, put together from all shards
 *     inventories_oldest.c   the oldest handles of each, from the records
 *     inventories_copy.c     that with frames and labels, as it is handed out
 *
 * The pool of stacks and the labels are read after the shards: they only grow, so whatever
 * a holder names is there by then. */
#include "sources/inventories.h"

#include "base/target.h"
#include "sources/inventories_copy.h"
#include "sources/inventories_merge.h"
#include "stacks/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHARD_SIZE_MAX 4096u /* that can be right */

/* Everything that is read is a copy of ours: the plain values of its atomics. */
#define PLAIN(field) atomic_load_explicit(&(field), memory_order_relaxed)

struct inventory_source {
    struct target *target;
    struct labels *labels;
    struct pool_reader *pool;
    struct shard_reader reader;
    struct shard_copy shard; /* room for one at a time ... */
    struct slab_copy records;
    struct handle_root root;    /* as it was read last */
    struct inventory inventory; /* ... as was this */
};

struct inventory_source *inventory_source_new(struct target *target, struct modules *modules,
                                              struct labels *labels)
{
    struct inventory_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->target = source->reader.target = target;
    source->labels = labels;
    source->pool = pool_reader_new(target, modules);
    if (source->pool)
        return source;
    free(source);
    return NULL;
}

void inventory_source_trim(struct inventory_source *source)
{
    pool_reader_trim(source->pool);
    slab_copy_free(&source->shard.holders);
    slab_copy_free(&source->shard.cohorts);
    slab_copy_free(&source->records);
}

void inventory_source_free(struct inventory_source *source)
{
    if (!source)
        return;
    inventory_source_trim(source);
    pool_reader_free(source->pool);
    free(source);
}

unsigned inventory_source_count(struct inventory_source *source, uint64_t root)
{
    struct handle_root *copy = &source->root;
    if (root == 0 || !target_read_all(source->target, root, copy, sizeof *copy) ||
        copy->magic != HANDLES_MAGIC || copy->version != HANDLES_VERSION ||
        copy->size != sizeof *copy)
        return 0;
    uint32_t count = PLAIN(copy->count);
    return count < INVENTORIES_MAX ? count : INVENTORIES_MAX;
}

/* Reads inventory NUMBER of the root that was read last. */
static bool read_inventory(struct inventory_source *source, unsigned number)
{
    struct inventory *copy = &source->inventory;
    uint64_t address = PLAIN(source->root.inventories[number - 1]);
    if (address == 0 || !target_read_all(source->target, address, copy, sizeof *copy))
        return false;
    copy->name[sizeof copy->name - 1] = 0;
    return copy->shard_count <= INVENTORY_SHARDS_MAX && copy->shard_size <= SHARD_SIZE_MAX &&
           copy->shard_size >= sizeof(struct handle_shard) && copy->shard_size % 8 == 0 &&
           copy->shards % 8 == 0;
}

bool inventory_source_name(struct inventory_source *source, uint64_t root, unsigned number,
                           char name[INVENTORY_NAME_SIZE])
{
    _Static_assert(sizeof source->inventory.name == INVENTORY_NAME_SIZE, "room for a name");
    if (number == 0 || number > inventory_source_count(source, root) ||
        !read_inventory(source, number))
        return false;
    memcpy(name, source->inventory.name, INVENTORY_NAME_SIZE);
    return true;
}

/* How many are live in the inventory that was read last. Without locks: each shard's number is one
 * that it had. */
static uint64_t live_in_shards(struct inventory_source *source)
{
    const struct inventory *inventory = &source->inventory;
    uint64_t live = 0;
    for (uint32_t i = 0; i < inventory->shard_count; i++) {
        uint64_t shard = inventory->shards + (uint64_t)i * inventory->shard_size;
        uint64_t count;
        if (target_read_all(source->target, shard + offsetof(struct handle_shard, live), &count,
                            sizeof count))
            live += count;
    }
    return live;
}

long inventory_source_live(struct inventory_source *source, uint64_t root, unsigned number)
{
    unsigned count = inventory_source_count(source, root);
    uint64_t live = 0;
    if (number > count)
        return -ENOENT;
    for (unsigned i = number ? number : 1; i <= (number ? number : count); i++)
        if (read_inventory(source, i))
            live += live_in_shards(source);
    return (long)live;
}

struct shard_read_context {
    struct inventory_source *source;
    uint64_t address;
};

static bool read_shard(void *context)
{
    const struct shard_read_context *where = context;
    struct shard_copy *shard = &where->source->shard;
    struct target *target = where->source->target;
    shard->holders.count = shard->cohorts.count = 0;
    if (!target_read_all(target, where->address, &shard->head, sizeof shard->head))
        return false;
    return shard->head.live == 0 ||
           (slab_read(target, &shard->head.holders, sizeof(struct handle_holder), 0, UINT32_MAX,
                      &shard->holders) &&
            slab_read(target, &shard->head.cohorts, sizeof(struct handle_cohort), 0, UINT32_MAX,
                      &shard->cohorts));
}

static void count_how(struct handle_dump *dump, enum shard_how how)
{
    dump->shards++;
    dump->shards_locked += how == SHARD_LOCKED;
    dump->shards_changing += how == SHARD_CHANGING;
    dump->shards_unreadable += how == SHARD_UNREADABLE;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Puts the holders of the inventory that was read last together. False without memory. */
static bool merge_inventory(struct inventory_source *source, struct handle_dump *dump,
                            struct merged *merged)
{
    const struct inventory *inventory = &source->inventory;
    for (uint32_t i = 0; i < inventory->shard_count; i++) {
        struct shard_read_context where = { source, inventory->shards +
                                                        (uint64_t)i * inventory->shard_size };
        enum shard_how how = shard_read(&source->reader, where.address, read_shard, &where);
        count_how(dump, how);
        if (how != SHARD_UNREADABLE && !merge_shard(merged, &source->shard))
            return false;
    }
    for (uint32_t i = 0; dump->with_details && merged->count > 0 && i < inventory->shard_count; i++)
        merge_oldest(merged, &source->reader,
                     inventory->shards + (uint64_t)i * inventory->shard_size, &source->shard,
                     &source->records);
    return true;
}

static bool take_inventory(struct inventory_source *source, const struct inventory_wish *wish,
                           struct handle_dump *dump, struct arena *scratch,
                           struct taken_inventory *taken)
{
    taken->inventory = source->inventory;
    taken->merged = (struct merged){
        .arena = scratch,
        .now_ns = clock_ns(CLOCK_MONOTONIC),
        .since_ns = wish->since_ns,
    };
    return merge_inventory(source, dump, &taken->merged);
}

/* Reads the inventories from FIRST to LAST. False without memory. */
static bool fill(struct inventory_source *source, const struct inventory_wish *wish, unsigned first,
                 unsigned last, struct arena *scratch, struct handle_dump *dump)
{
    struct taken_inventory *taken = arena_array(scratch, last - first + 1, sizeof *taken);
    struct inventory_copier copier = { source->target, source->pool, source->labels, &dump->arena,
                                       arena_array(scratch, POOL_STACKS, sizeof *copier.stacks) };
    dump->inventories = arena_array(&dump->arena, last - first + 1, sizeof *dump->inventories);
    if (!taken || !copier.stacks || !dump->inventories)
        return false;
    size_t count = 0;
    for (unsigned i = first; i <= last; i++)
        if (read_inventory(source, i) &&
            !take_inventory(source, wish, dump, scratch, &taken[count++]))
            return false;
    /* It may have been made by the first handle of all, after the root was read. */
    if (inventory_source_count(source, wish->root) == 0)
        return false;
    pool_reader_refresh(source->pool, PLAIN(source->root.pool));
    if (source->labels)
        labels_refresh(source->labels, wish->labels_root);
    dump->stacks_refused = pool_reader_refused(source->pool);
    for (; dump->count < count; dump->count++) {
        struct inventory_dump *to = &dump->inventories[dump->count];
        if (!inventory_copy(&copier, &taken[dump->count], to))
            return false;
        dump->live += to->live;
    }
    return true;
}

int inventory_source_dump(struct inventory_source *source, const struct inventory_wish *wish,
                          struct handle_dump **result)
{
    uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    unsigned count = inventory_source_count(source, wish->root);
    if (wish->number > count)
        return -ENOENT;
    struct handle_dump *dump = calloc(1, sizeof *dump);
    if (!dump)
        return -ENOMEM;
    struct arena scratch = ARENA_INIT;
    dump->time_ns = clock_ns(CLOCK_REALTIME);
    dump->with_details = wish->with_details;
    source->reader.waited_ns = 0;
    bool good = count == 0 || fill(source, wish, wish->number ? wish->number : 1,
                                   wish->number ? wish->number : count, &scratch, dump);
    arena_release(&scratch);
    if (!good) {
        handle_dump_free(dump);
        return -ENOMEM;
    }
    dump->took_ns = clock_ns(CLOCK_MONOTONIC) - begin;
    *result = dump;
    return 0;
}

void handle_dump_free(struct handle_dump *dump)
{
    if (!dump)
        return;
    arena_release(&dump->arena);
    free(dump);
}
