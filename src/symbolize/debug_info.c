/* debug_info.c: which compilation unit an address is in; see debug_info.h.
 *
 * The index is made from each unit's own ranges. .debug_aranges would have it
 * ready, but clang writes none and a mixed program has it for some units only. */
#include "symbolize/debug_info.h"

#include "symbolize/debug_die.h"
#include "symbolize/debug_unit.h"
#include "symbolize/elf_file.h"
#include "symbolize/range_list.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

struct debug_info {
    Dwarf *dwarf;
    struct debug_unit *units;
    size_t count;
    size_t capacity;
    struct range_list ranges; /* of units */
};

static bool add_unit(struct debug_info *info, Dwarf_Die *die)
{
    size_t before = info->ranges.count;
    if (!die_add_ranges(die, &info->ranges, (uint32_t)info->count))
        return false;
    if (info->ranges.count == before)
        return true; /* no code */
    if (info->count == info->capacity) {
        size_t capacity = info->capacity ? info->capacity * 2 : 64;
        struct debug_unit *grown = realloc(info->units, capacity * sizeof *grown);
        if (!grown)
            return false;
        info->units = grown;
        info->capacity = capacity;
    }
    info->units[info->count++] = (struct debug_unit){ .die = *die };
    return true;
}

static bool read_units(struct debug_info *info)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    Dwarf_Half version;
    uint8_t type;
    while (dwarf_get_units(info->dwarf, unit, &unit, &version, &type, &die, NULL) == 0) {
        bool has_code = type == DW_UT_compile || type == DW_UT_skeleton;
        if (has_code && die.addr && !add_unit(info, &die))
            return false;
    }
    range_list_settle(&info->ranges);
    return true;
}

/* libdw sees to it itself that strings end, except for the file names of a line table. */
static bool strings_end(Elf *elf)
{
    static const char *const sections[] = { ".debug_str", ".debug_line_str", ".zdebug_str",
                                            ".zdebug_line_str" };
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        Elf_Scn *section = elf_file_section(elf, sections[i]);
        Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
        if (data && data->d_size > 0 && ((const char *)data->d_buf)[data->d_size - 1] != 0)
            return false;
    }
    return true;
}

/* Where variables are, macros, names: libdw would read, and where they are compressed expand, all
 * of it at once; in a C library that is a seventh of the whole. */
static const char *const unused[] = { ".debug_loc",      ".debug_loclists", ".debug_macro",
                                      ".debug_macinfo",  ".debug_frame",    ".debug_pubnames",
                                      ".debug_pubtypes", ".debug_aranges",  NULL };

struct debug_info *debug_info_new(Elf *elf)
{
    struct debug_info *info = calloc(1, sizeof *info);
    if (!info)
        return NULL;
    elf_file_hide(elf, unused);
    info->dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    if (info->dwarf && strings_end(elf) && read_units(info) && info->count > 0)
        return info;
    debug_info_free(info);
    return NULL;
}

void debug_info_free(struct debug_info *info)
{
    if (!info)
        return;
    for (size_t i = 0; i < info->count; i++)
        debug_unit_free(&info->units[i]);
    free(info->units);
    range_list_free(&info->ranges);
    dwarf_end(info->dwarf);
    free(info);
}

bool debug_info_find(struct debug_info *info, uint64_t address, struct debug_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    const struct range *range = range_list_find(&info->ranges, address);
    if (!range)
        return false;
    debug_unit_find(&info->units[range->owner], address, answer);
    return true;
}
