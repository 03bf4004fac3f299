/* handles_look.h: inventories of this process, read as they lie in memory, and what must be true
 * of them at any moment that a shard's lock is free. */
#ifndef SNAG_TESTS_HANDLES_LOOK_H
#define SNAG_TESTS_HANDLES_LOOK_H

#include "handles/layout.h"

#include <stdint.h>

/* The inventory that snag_profile_new gave. */
struct inventory *handles_inventory(const void *profile);

struct handle_shard *handles_shard(const struct inventory *inventory, uint32_t index);
void handles_lock(struct handle_shard *shard);
void handles_unlock(struct handle_shard *shard);

/* Item NUMBER (as it is kept, so from 1 on) of a slab. */
struct handle_record *handles_record(const struct handle_shard *shard, uint32_t number);
struct handle_holder *handles_holder(const struct handle_shard *shard, uint32_t number);
struct handle_cohort *handles_cohort(const struct handle_shard *shard, uint32_t number);

/* NULL, or what is wrong: a record in no bucket or in two or in the wrong one, sums of a holder's
 * cohorts that are not the sums over its records, cohorts out of order, items that are neither
 * used nor free. Takes each shard's lock. */
const char *handles_check(const struct inventory *inventory);

/* Calls SEE for each live record, under its shard's lock. */
typedef void handles_see(const struct handle_shard *shard, const struct handle_record *record,
                         void *context);
void handles_each(const struct inventory *inventory, handles_see *see, void *context);

/* What this process has in memory that is of no file, in bytes; 0 if the kernel does not tell. */
uint64_t handles_resident(void);

#endif
