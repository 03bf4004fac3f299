/* here.h: the walk as the pool keeps it. Private to stacks/. */
#ifndef SNAG_STACKS_HERE_H
#define SNAG_STACKS_HERE_H

#include "stacks/stacks.h"

struct trail;

/* As stack_here, with the number of the guest in each frame (pool.h), and with what it hung on in
 * TRAIL. */
struct stack_walk walk_here(const void *frame, unsigned skip, uint64_t *frames, size_t max,
                            struct trail *trail);

#endif
