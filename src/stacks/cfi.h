/* cfi.h: one row of a module's unwind table, read where the loader mapped it.
 *
 * Private to stacks/. The engine has libunwind for this. The service's own threads cannot:
 * libunwind's symbols would shadow libgcc's, and it takes locks and memory. What an in-thread
 * walk asks is little: where the caller's stack pointer, frame pointer and return address are. */
#ifndef SNAG_STACKS_CFI_H
#define SNAG_STACKS_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A module's mapping and its .eh_frame_hdr within. */
struct code_region {
    uintptr_t start;
    uintptr_t end;
    const unsigned char *table; /* NULL: it has none */
    bool for_ever;              /* never unloaded */
    uintptr_t bias;             /* of one that may be: its load address ... */
    const char *path;           /* ... and its name, as the loader has them */
};

static inline bool region_holds(const struct code_region *region, const void *at, size_t size)
{
    uintptr_t address = (uintptr_t)at;
    return address >= region->start && address < region->end && region->end - address >= size;
}

enum cfi_kind {
    CFI_STEP,   /* the places below lead to the caller */
    CFI_END,    /* the outermost frame: its caller is marked undefined */
    CFI_NONE,   /* no table covers the address */
    CFI_UNKNOWN /* one does, in a way that is not understood here */
};

enum cfi_base { CFI_SP, CFI_BP, CFI_CFA };

enum cfi_how {
    CFI_SAME,      /* as it is in this frame */
    CFI_LOST,      /* it cannot be had any more */
    CFI_ELSEWHERE, /* in a register, or otherwise where this walk does not follow */
    CFI_VALUE,     /* base + offset */
    CFI_AT         /* what is stored at base + offset, plus `add` */
};

struct cfi_place {
    uint8_t how;
    uint8_t base;
    int32_t offset;
    int32_t add;
};

struct cfi_row {
    uint8_t kind;
    bool signal;     /* the return from a signal handler: the caller was interrupted */
    uintptr_t start; /* of the function; 0 with CFI_NONE */
    struct cfi_place cfa;
    struct cfi_place caller; /* the return address */
    struct cfi_place bp;
    /* What it was read from. Equal bytes here mean an equal row. */
    const unsigned char *entry;
    size_t entry_size;
    const unsigned char *common;
    size_t common_size;
};

/* The row for ADDRESS, which lies in REGION: the instruction itself, or one
 * byte into the call before a return address. From any thread, in a signal handler. */
void cfi_row_at(const struct code_region *region, uintptr_t address, struct cfi_row *row);

#endif
