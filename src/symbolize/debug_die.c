/* debug_die.c: walks over DWARF entries; see debug_die.h.
 *
 * libdw checks that each read is inside the file; that a walk ends is up to
 * the caller. Here every entry must lie ahead of the last, depth and ranges are counted. */
#include "symbolize/debug_die.h"

#include "symbolize/range_list.h"

#include <dwarf.h>
#include <string.h>

#define RANGES_MAX 100000
#define DEPTH_MAX 200

bool die_add_ranges(Dwarf_Die *die, struct range_list *list, uint32_t owner)
{
    Dwarf_Addr base;
    Dwarf_Addr low;
    Dwarf_Addr high;
    ptrdiff_t offset = 0;
    for (int i = 0; i < RANGES_MAX; i++) {
        offset = dwarf_ranges(die, offset, &base, &low, &high);
        if (offset <= 0)
            break;
        if (!range_list_add(list, low, high, owner))
            return false;
    }
    return true;
}

static bool is_ahead(struct die_walk *walk, const Dwarf_Die *die)
{
    const char *here = die->addr;
    if (walk->furthest && here <= walk->furthest)
        return false;
    walk->furthest = here;
    return true;
}

bool die_first(struct die_walk *walk, Dwarf_Die *scope, Dwarf_Die *child)
{
    return dwarf_child(scope, child) == 0 && is_ahead(walk, child);
}

bool die_next(struct die_walk *walk, Dwarf_Die *die)
{
    return dwarf_siblingof(die, die) == 0 && is_ahead(walk, die);
}

static size_t inlined_at(struct die_walk *walk, Dwarf_Die *scope, uint64_t address,
                         Dwarf_Die *chain, size_t size, int depth)
{
    Dwarf_Die child;
    if (size == 0 || depth > DEPTH_MAX || !die_first(walk, scope, &child))
        return 0;
    do {
        size_t found = 0;
        switch (dwarf_tag(&child)) {
        case DW_TAG_inlined_subroutine:
            if (dwarf_haspc(&child, address) != 1)
                break;
            chain[0] = child;
            return 1 + inlined_at(walk, &child, address, chain + 1, size - 1, depth + 1);
        case DW_TAG_lexical_block:
        case DW_TAG_try_block:
        case DW_TAG_catch_block:
        case DW_TAG_with_stmt:
            /* A block may have no range of its own and yet hold what is inlined in it. */
            if (dwarf_haspc(&child, address) == 1 ||
                !(dwarf_hasattr(&child, DW_AT_ranges) || dwarf_hasattr(&child, DW_AT_low_pc)))
                found = inlined_at(walk, &child, address, chain, size, depth + 1);
            break;
        default: break;
        }
        if (found > 0)
            return found;
    } while (die_next(walk, &child));
    return 0;
}

size_t die_inlined_at(Dwarf_Die *function, uint64_t address, Dwarf_Die *chain, size_t size)
{
    struct die_walk walk = { NULL };
    return inlined_at(&walk, function, address, chain, size, 0);
}

static const char *text_of(Dwarf_Die *die, unsigned attribute)
{
    Dwarf_Attribute found;
    if (!dwarf_attr_integrate(die, attribute, &found))
        return NULL;
    const char *text = dwarf_formstring(&found);
    return text && *text ? text : NULL;
}

void die_describe(Dwarf_Die *die, struct debug_frame *frame)
{
    frame->name = text_of(die, DW_AT_name);
    frame->linkage_name = text_of(die, DW_AT_linkage_name);
    if (!frame->linkage_name)
        frame->linkage_name = text_of(die, DW_AT_MIPS_linkage_name);
    int line;
    frame->start_line = dwarf_decl_line(die, &line) == 0 && line > 0 ? line : 0;
}

const char *die_file(const char *file)
{
    return file && *file && strcmp(file, "???") != 0 ? file : NULL;
}

void die_call_site(Dwarf_Die *die, struct debug_frame *caller)
{
    Dwarf_Attribute attribute;
    Dwarf_Word number;
    if (dwarf_attr(die, DW_AT_call_line, &attribute) && dwarf_formudata(&attribute, &number) == 0 &&
        number <= INT32_MAX)
        caller->line = (int)number;
    Dwarf_Die unit;
    Dwarf_Files *files;
    size_t count;
    Dwarf_Half version;
    if (!dwarf_attr(die, DW_AT_call_file, &attribute) ||
        dwarf_formudata(&attribute, &number) != 0 ||
        !dwarf_cu_die(die->cu, &unit, &version, NULL, NULL, NULL, NULL, NULL) ||
        (number == 0 && version < 5) || dwarf_getsrcfiles(&unit, &files, &count) != 0 ||
        number >= count)
        return;
    caller->file = die_file(dwarf_filesrc(files, (size_t)number, NULL, NULL));
}
