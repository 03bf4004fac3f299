/* regions.h: whose code an address is. Private to stacks/. */
#ifndef SNAG_STACKS_REGIONS_H
#define SNAG_STACKS_REGIONS_H

#include "stacks/cfi.h"

/* Fills REGION with the module that holds ADDRESS; false when none does, or the C library
 * cannot tell without a lock (before glibc 2.35, for what came by dlopen). */
bool region_of(uintptr_t address, struct code_region *region);

#endif
