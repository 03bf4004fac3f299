/* code_maps.h: whether the executable mappings are still those of last time.
 *
 * Reading all of maps takes 9 ms where there are ten thousand stacks; asking the
 * kernel for the executable mappings alone (ioctl PROCMAP_QUERY, Linux 6.11)
 * takes a third of it. Older kernels refuse, and maps is read every time. */
#ifndef SNAG_MODULES_CODE_MAPS_H
#define SNAG_MODULES_CODE_MAPS_H

#include <stdbool.h>
#include <stdint.h>

struct target;

/* A hash over all executable mappings of TARGET: address, file, offset. False
 * when the kernel does not tell. */
bool code_maps_hash(struct target *target, uint64_t *hash);

#endif
