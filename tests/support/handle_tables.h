/* handle_tables.h: inventories as they lie in a service's memory (handles/layout.h), filled by
 * hand. So a test knows every number in them, and may leave them in any state. */
#ifndef SNAG_TESTS_HANDLE_TABLES_H
#define SNAG_TESTS_HANDLE_TABLES_H

#include "handles/layout.h"

#include <stdint.h>

#define TABLE_STACK_FIRST 2u /* the number of the first stack that is put in the pool */

/* Empty tables; *ROOT is where a reader begins. Ends the process without memory. Never freed, as
 * the real ones. */
struct handle_root *tables_new(void);

/* Puts a stack of COUNT frames in the pool and returns its number. */
uint32_t tables_stack(struct handle_root *root, const uint64_t *frames, uint16_t count);

/* Makes an inventory with SHARDS shards. */
struct inventory *tables_inventory(struct handle_root *root, const char *name, uint32_t shards);
struct handle_shard *tables_shard(const struct inventory *inventory, uint32_t number);

/* Item NUMBER (from 1) of a slab. */
struct handle_holder *tables_holder(const struct handle_shard *shard, uint32_t number);
struct handle_cohort *tables_cohort(const struct handle_shard *shard, uint32_t number);
struct handle_record *tables_record(const struct handle_shard *shard, uint32_t number);

/* Each adds one and returns its number. A cohort is the newest of its holder. */
uint32_t tables_add_holder(struct handle_shard *shard, uint32_t stack, uint32_t labels);
uint32_t tables_add_cohort(struct handle_shard *shard, uint32_t holder,
                           const struct handle_cohort *cohort);
uint32_t tables_add_record(struct handle_shard *shard, uint32_t holder, uint64_t handle,
                           uint64_t time_ns, uint64_t bytes);

#endif
