/* pool_open.h: the pool, for those who write in it. Private to stacks/. */
#ifndef SNAG_STACKS_POOL_OPEN_H
#define SNAG_STACKS_POOL_OPEN_H

struct stack_pool;

/* Made at the first use; NULL without memory. */
struct stack_pool *pool_open(void);

#endif
