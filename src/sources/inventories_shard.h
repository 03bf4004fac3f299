/* inventories_shard.h: one shard of an inventory, of one moment. Private to
 * sources/inventories*. */
#ifndef SNAG_SOURCES_INVENTORIES_SHARD_H
#define SNAG_SOURCES_INVENTORIES_SHARD_H

#include "handles/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target;

/* How a reading of a shard went. */
enum shard_how {
    SHARD_WHOLE,    /* nothing of it changed meanwhile */
    SHARD_LOCKED,   /* the same, though its lock could not be had in time */
    SHARD_CHANGING, /* it may have */
    SHARD_UNREADABLE
};

struct shard_reader {
    struct target *target;
    uint64_t waited_ns; /* for locks, since it was last set to 0: there is a limit to that */
};

/* Runs READ, which reads from the shard at ADDRESS, so that nothing in there changes meanwhile as
 * far as that can be had; perhaps several times, the last is the one that counts. READ is false
 * when memory could not be read. */
enum shard_how shard_read(struct shard_reader *reader, uint64_t address,
                          bool (*read)(void *context), void *context);

/* Items of a slab, kept from one reading to the next. */
struct slab_copy {
    void *items;
    uint32_t count;
    size_t room; /* bytes */
};

/* Reads items FROM to FROM + COUNT (as far as there are any) of SLAB, of SIZE bytes each, to COPY.
 * FROM is a multiple of SLAB_CHUNK. False when it cannot be read or without memory. */
bool slab_read(struct target *target, const struct handle_slab *slab, size_t size, uint32_t from,
               uint32_t count, struct slab_copy *copy);
void slab_copy_free(struct slab_copy *copy);

#endif
