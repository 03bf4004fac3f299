/* guests.h: libraries that come and go, by number. Private to stacks/. */
#ifndef SNAG_STACKS_GUESTS_H
#define SNAG_STACKS_GUESTS_H

#include "stacks/cfi.h"

#include <stdint.h>

/* What tells one build of a library from another: its build id, else its headers, in its own
 * memory. Size 0: nothing does. */
struct label {
    const unsigned char *bytes;
    uint32_t size;
    bool is_build_id;
};

struct label label_of(const struct code_region *region);

/* The number of the library mapped at REGION, entered under LABEL, whose hash is HASH, if it is a
 * new one. GUEST_UNKNOWN when there is no room. */
uint32_t guest_enter(const struct code_region *region, const struct label *label, uint64_t hash);

/* Whether the library NUMBER is mapped where it was, and known to be the same by its build id. */
bool guest_is_there(uint32_t number);

/* A hash of SIZE bytes, going on from HASH. */
uint64_t hash_bytes_on(uint64_t hash, const unsigned char *bytes, size_t size);

#endif
