/* memory.h: memory for inventories, that is never given back. Private to handles/. */
#ifndef SNAG_HANDLES_MEMORY_H
#define SNAG_HANDLES_MEMORY_H

#include <stddef.h>

#define MEMORY_LINE 64 /* what is taken begins at a multiple of this */

/* SIZE bytes of zeros; NULL when the system has no more. Leaves errno as it was. */
void *memory_take(size_t size);

#endif
