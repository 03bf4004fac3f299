/* debug_die.h: walks over DWARF entries (DIEs) that end whatever is in the file. */
#ifndef SNAG_SYMBOLIZE_DEBUG_DIE_H
#define SNAG_SYMBOLIZE_DEBUG_DIE_H

#include "symbolize/debug_info.h"

#include <elfutils/libdw.h>

struct range_list;

/* Adds the address ranges of DIE to LIST as OWNER's; false without memory. */
bool die_add_ranges(Dwarf_Die *die, struct range_list *list, uint32_t owner);

/* A walk never goes back: in a broken file siblings may lead in circles, or into what their
 * own children have been through, which takes for ever as well. */
struct die_walk {
    const char *furthest; /* the last entry seen; NULL at the beginning */
};

/* The first child of SCOPE, and the next after DIE on the same level. False at the end. */
bool die_first(struct die_walk *walk, Dwarf_Die *scope, Dwarf_Die *child);
bool die_next(struct die_walk *walk, Dwarf_Die *die);

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
