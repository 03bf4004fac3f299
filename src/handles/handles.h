/* handles.h: inventories of live handles; what the public calls in snag.h stand on.
 *
 *     names.c          inventories by name
 *     inventory.c      a handle comes, a handle goes
 *     shard.c          the lock of a part of an inventory
 *     records.c        handles by hash
 *     holders.c        counts, ages and bytes by stack
 *     wrong_removes.c  removes of what was not live
 *     forks.c          a child has a whole copy
 *     slab.c memory.c  what the tables lie in
 *
 * This folder runs in the service's own threads and is part of libsnag. What is written is in
 * layout.h, for readers outside. */
#ifndef SNAG_HANDLES_HANDLES_H
#define SNAG_HANDLES_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

struct handle_root;

/* The tables, for those who publish where they are; never NULL. `count` is 0 until an inventory is
 * made. */
const struct handle_root *handle_root_of_process(void);

/* Whether there is any inventory, and whether any handle is live that was added at TIME_NS
 * (CLOCK_MONOTONIC) or later: a walk over all of them, for leak checks. */
bool handles_exist(void);
bool handles_since(uint64_t time_ns);

#endif
