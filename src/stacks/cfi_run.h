/* cfi_run.h: the instructions of an unwind table, carried out. Private to stacks/. */
#ifndef SNAG_STACKS_CFI_RUN_H
#define SNAG_STACKS_CFI_RUN_H

#include "stacks/cfi.h"

/* What a table's entry says before its instructions. */
struct cfi_program {
    const unsigned char *initial; /* of the common part, run first, to its end */
    size_t initial_size;
    const unsigned char *own;
    size_t own_size;
    uint64_t code_factor;
    int64_t data_factor;
    uintptr_t start;   /* of the function */
    uintptr_t address; /* whose row is wanted */
};

/* Fills ROW's kind and places. */
void cfi_run(const struct cfi_program *program, struct cfi_row *row);

#endif
