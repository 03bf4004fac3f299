/* debug_die.h: walks over DWARF entries (DIEs) that end whatever is in the file. */
#ifndef SNAG_SYMBOLIZE_DEBUG_DIE_H
#define SNAG_SYMBOLIZE_DEBUG_DIE_H

#include "symbolize/debug_info.h"

#include <elfutils/libdw.h>

struct range_list;

/* Adds the address ranges of DIE to LIST as OWNER's; false without memory. */
bool die_add_ranges(Dwarf_Die *die, struct range_list *list, uint32_t owner);

/* Steps DIE on to its next sibling. False at the end, and where that would go backward: a
 * wrong file could lead in circles. */
bool die_next(Dwarf_Die *die);

/* The inlined functions at ADDRESS inside FUNCTION, outermost first; returns how many of
 * at most SIZE. */
size_t die_inlined_at(Dwarf_Die *function, uint64_t address, Dwarf_Die *chain, size_t size);

/* Fills in what DIE says of itself: names and start line. */
void die_describe(Dwarf_Die *die, struct debug_frame *frame);

/* FILE as libdw gives it; NULL for its "???", a number that the table does not have. */
const char *die_file(const char *file);

/* File and line of the call that the inlined function DIE stands for. */
void die_call_site(Dwarf_Die *die, struct debug_frame *caller);

#endif
