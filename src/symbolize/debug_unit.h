/* debug_unit.h: one compilation unit: its functions and its line table. */
#ifndef SNAG_SYMBOLIZE_DEBUG_UNIT_H
#define SNAG_SYMBOLIZE_DEBUG_UNIT_H

#include "symbolize/debug_info.h"
#include "symbolize/range_list.h"

#include <elfutils/libdw.h>

struct debug_unit {
    Dwarf_Die die;        /* in the file itself: has the line table */
    bool outer_read;      /* functions: those outside other functions */
    bool all_read;        /* functions: every one */
    Dwarf_Die *functions; /* from the split unit (.dwo) where there is one */
    size_t function_count;
    size_t function_capacity;
    struct range_list ranges; /* of functions */
};

/* Answers for ADDRESS, which is in a range of UNIT. */
void debug_unit_find(struct debug_unit *unit, uint64_t address, struct debug_answer *answer);

void debug_unit_free(struct debug_unit *unit);

#endif
