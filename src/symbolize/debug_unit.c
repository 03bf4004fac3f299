/* debug_unit.c: one compilation unit; see debug_unit.h.
 *
 * libdw's own dwarf_getscopes walks the unit's entries for each address. Here
 * the functions of a unit are listed once, on the first address in it; only the
 * entries inside one function are walked per address. The list leaves out functions
 * inside functions (GNU C, local classes, Ada) until an address is in no other. */
#include "symbolize/debug_unit.h"

#include "symbolize/debug_die.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 200

static bool add_function(struct debug_unit *unit, Dwarf_Die *die)
{
    size_t before = unit->ranges.count;
    if (!die_add_ranges(die, &unit->ranges, (uint32_t)unit->function_count))
        return false;
    if (unit->ranges.count == before)
        return true; /* a declaration, or only inlined */
    if (unit->function_count == unit->function_capacity) {
        size_t capacity = unit->function_capacity ? unit->function_capacity * 2 : 64;
        Dwarf_Die *grown = realloc(unit->functions, capacity * sizeof *grown);
        if (!grown)
            return false;
        unit->functions = grown;
        unit->function_capacity = capacity;
    }
    unit->functions[unit->function_count++] = *die;
    return true;
}

static bool goes_into(int tag, bool all)
{
    return all || tag == DW_TAG_namespace || tag == DW_TAG_module;
}

static bool add_functions(struct debug_unit *unit, struct die_walk *walk, Dwarf_Die *scope,
                          bool all, int depth)
{
    Dwarf_Die child;
    if (depth > DEPTH_MAX || !die_first(walk, scope, &child))
        return true;
    do {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_subprogram && !add_function(unit, &child))
            return false;
        if (goes_into(tag, all) && dwarf_haschildren(&child) == 1 &&
            !add_functions(unit, walk, &child, all, depth + 1))
            return false;
    } while (die_next(walk, &child));
    return true;
}

static void forget_functions(struct debug_unit *unit)
{
    range_list_free(&unit->ranges);
    free(unit->functions);
    unit->functions = NULL;
    unit->function_count = unit->function_capacity = 0;
}

static void read_functions(struct debug_unit *unit, bool all)
{
    Dwarf_Die split = { 0 };
    uint8_t type = 0;
    forget_functions(unit);
    unit->outer_read = true;
    unit->all_read = all;
    bool has_split =
        dwarf_cu_info(unit->die.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
        type == DW_UT_skeleton && split.addr;
    struct die_walk walk = { NULL };
    if (add_functions(unit, &walk, has_split ? &split : &unit->die, all, 0))
        range_list_settle(&unit->ranges);
    else
        forget_functions(unit);
}

static const struct range *find_function(struct debug_unit *unit, uint64_t address)
{
    if (!unit->outer_read)
        read_functions(unit, false);
    const struct range *range = range_list_find(&unit->ranges, address);
    if (!range && !unit->all_read) {
        read_functions(unit, true);
        range = range_list_find(&unit->ranges, address);
    }
    return range;
}

/* The row of the line table that ADDRESS is in: the last one at or below it, if
 * that does not end a sequence. dwarf_getsrc_die would do, but it asserts that the table
 * is well-formed. */
static Dwarf_Line *find_row(Dwarf_Die *die, uint64_t address)
{
    Dwarf_Lines *rows;
    size_t count;
    if (dwarf_getsrclines(die, &rows, &count) != 0)
        return NULL;
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        Dwarf_Addr start;
        if (dwarf_lineaddr(dwarf_onesrcline(rows, middle), &start) != 0)
            return NULL;
        if (start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    Dwarf_Line *row = low > 0 ? dwarf_onesrcline(rows, low - 1) : NULL;
    bool ends;
    return row && dwarf_lineendsequence(row, &ends) == 0 && !ends ? row : NULL;
}

static void find_line(struct debug_unit *unit, uint64_t address, struct debug_frame *frame)
{
    Dwarf_Line *row = find_row(&unit->die, address);
    int number;
    if (!row)
        return;
    frame->file = die_file(dwarf_linesrc(row, NULL, NULL));
    if (dwarf_lineno(row, &number) == 0 && number > 0)
        frame->line = number;
}

/* Functions of plain C are named in DWARF as the linker names them. */
static bool mangles_names(Dwarf_Die *unit)
{
    switch (dwarf_srclang(unit)) {
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case DW_LANG_Mips_Assembler: return false;
    default: return true;
    }
}

void debug_unit_find(struct debug_unit *unit, uint64_t address, struct debug_answer *answer)
{
    const struct range *range = find_function(unit, address);
    find_line(unit, address, &answer->line);
    if (!range)
        return;
    Dwarf_Die *function = &unit->functions[range->owner];
    Dwarf_Die inlined[INLINED_MAX - 1];
    size_t count = die_inlined_at(function, address, inlined, INLINED_MAX - 1);
    struct debug_frame *frame = answer->frames;
    frame->file = answer->line.file;
    frame->line = answer->line.line;
    for (size_t i = count; i > 0; i--, frame++) {
        die_describe(&inlined[i - 1], frame);
        die_call_site(&inlined[i - 1], frame + 1);
    }
    die_describe(function, frame);
    answer->count = count + 1;
    answer->function_start = range->low;
    answer->may_be_mangled = !frame->linkage_name && mangles_names(&unit->die);
}

void debug_unit_free(struct debug_unit *unit)
{
    forget_functions(unit);
}
