/* marked.h: structs of libsnag's in a program that has no name for them any more. */
#ifndef SNAG_SOURCES_MARKED_H
#define SNAG_SOURCES_MARKED_H

#include <stddef.h>
#include <stdint.h>

struct module;
struct target;

/* How such a struct begins; these 16 bytes are its mark. */
struct mark {
    uint64_t magic;
    uint32_t version;
    uint32_t size;
};

/* Looks for COUNT marks in the variables of PROGRAM; puts where each is into ADDRESSES, 0 where it
 * is not. */
void marked_find(struct target *target, const struct module *program, const struct mark *marks,
                 uint64_t *addresses, size_t count);

#endif
