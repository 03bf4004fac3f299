/* symbolize.c: names for code addresses; see symbolize.h.
 *
 * An address is named once and kept. The order of belief: DWARF's function with
 * what is inlined into it; the symbol table; module+0xoffset. Strings are those of
 * the open files where they can be: both go together, in symbolizer_trim. */
#include "symbolize/symbolize.h"

#include "base/arena.h"
#include "base/hash_index.h"
#include "base/target.h"
#include "modules/modules.h"
#include "symbolize/debug_info.h"
#include "symbolize/module_symbols.h"
#include "symbolize/names.h"
#include "symbolize/symbol_table.h"

#include <elf.h>
#include <elfutils/libdw.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

struct symbolizer {
    struct target *target;
    struct modules *modules;
    struct arena arena;
    const struct location **locations; /* in the order asked for */
    size_t count;
    size_t capacity;
    struct hash_index index;        /* of locations, by address */
    struct module_symbols **opened; /* by module id; one for all modules of the same file */
    size_t opened_count;
    struct debug_answer answer; /* too large for a small stack */

    /* What is answered when there is no memory to answer. */
    struct location unnamed;
    struct source_line unnamed_line;
    char unnamed_text[32];
};

void symbolizer_prepare(void)
{
    elf_version(EV_CURRENT);
    elf_errno();
    dwarf_errno();
}

struct symbolizer *symbolizer_new(struct target *target, struct modules *modules)
{
    struct symbolizer *symbolizer = calloc(1, sizeof *symbolizer);
    if (!symbolizer)
        return NULL;
    symbolizer->target = target;
    symbolizer->modules = modules;
    elf_version(EV_CURRENT);
    return symbolizer;
}

void symbolizer_trim(struct symbolizer *symbolizer)
{
    struct module_symbols **opened = symbolizer->opened;
    for (size_t i = 0; i < symbolizer->opened_count; i++)
        if (opened[i] && module_symbols_module(opened[i])->id != i)
            opened[i] = NULL; /* another module's too, where it is freed */
    for (size_t i = 0; i < symbolizer->opened_count; i++)
        module_symbols_free(opened[i]);
    free(symbolizer->opened);
    symbolizer->opened = NULL;
    symbolizer->opened_count = 0;
    arena_release(&symbolizer->arena);
    symbolizer->locations = NULL;
    symbolizer->count = symbolizer->capacity = 0;
    symbolizer->index = (struct hash_index){ 0 };
}

void symbolizer_free(struct symbolizer *symbolizer)
{
    if (!symbolizer)
        return;
    symbolizer_trim(symbolizer);
    free(symbolizer);
}

static uint64_t entry_point(const struct target *target)
{
    if (target->self)
        return getauxval(AT_ENTRY);
    uint64_t vector[2 * 64 + 1]; /* pairs of type and value, and room for the end */
    ssize_t length = proc_read(target->live_fd, "auxv", (char *)vector, sizeof vector);
    for (ssize_t i = 0; (i + 2) * (ssize_t)sizeof *vector <= length; i += 2)
        if (vector[i] == AT_ENTRY)
            return vector[i + 1];
    return 0;
}

const struct module *symbolizer_program(struct symbolizer *symbolizer)
{
    const struct module *module =
        modules_find(symbolizer->modules, entry_point(symbolizer->target));
    /* Without the vector: the program is mapped before what it loads. */
    for (size_t i = 0; !module && i < modules_count(symbolizer->modules); i++) {
        const struct module *candidate = modules_at(symbolizer->modules, i);
        if (candidate->is_elf && !candidate->is_vdso)
            module = candidate;
    }
    return module;
}

/* The module of ADDRESS: mapped now, or else the only one that ever was there. */
static const struct module *module_of(const struct modules *modules, uint64_t address)
{
    const struct module *found = modules_find(modules, address);
    if (found)
        return found;
    for (size_t i = 0; i < modules_count(modules); i++) {
        const struct module *module = modules_at(modules, i);
        if (!module->retired || address < module->start || address >= module->end)
            continue;
        if (found)
            return NULL;
        found = module;
    }
    return found;
}

static bool same_file(const struct module *a, const struct module *b)
{
    return a->is_elf && b->is_elf && !a->deleted && !b->deleted && a->inode != 0 &&
           a->inode == b->inode && a->device == b->device && a->build_id_length > 0 &&
           a->build_id_length == b->build_id_length &&
           memcmp(a->build_id, b->build_id, a->build_id_length) == 0 &&
           strcmp(a->path, b->path) == 0;
}

/* What was opened for the same file, mapped twice: the C library is where snag's engine has its
 * own.
 */
static struct module_symbols *opened_alike(const struct symbolizer *symbolizer,
                                           const struct module *module)
{
    for (size_t i = 0; i < symbolizer->opened_count; i++) {
        struct module_symbols *symbols = symbolizer->opened[i];
        if (symbols && same_file(module_symbols_module(symbols), module))
            return symbols;
    }
    return NULL;
}

static struct module_symbols *symbols_of(struct symbolizer *symbolizer, const struct module *module)
{
    if (module->id >= symbolizer->opened_count) {
        size_t count = module->id + 64;
        struct module_symbols **grown =
            realloc(symbolizer->opened, count * sizeof *symbolizer->opened);
        if (!grown)
            return NULL;
        memset(grown + symbolizer->opened_count, 0,
               (count - symbolizer->opened_count) * sizeof *grown);
        symbolizer->opened = grown;
        symbolizer->opened_count = count;
    }
    struct module_symbols **symbols = &symbolizer->opened[module->id];
    if (!*symbols)
        *symbols = opened_alike(symbolizer, module);
    if (!*symbols)
        *symbols = module_symbols_new(symbolizer->target, module);
    return *symbols;
}

void symbolizer_read_ahead(struct symbolizer *symbolizer)
{
    const struct module *program = symbolizer_program(symbolizer);
    for (size_t i = 0; i < modules_count(symbolizer->modules); i++) {
        const struct module *module = modules_at(symbolizer->modules, i);
        if (module != program && strncmp(module_name(module), "libc.so", strlen("libc.so")) != 0)
            continue;
        struct module_symbols *symbols = symbols_of(symbolizer, module);
        if (symbols)
            module_symbols_read_ahead(symbols);
    }
}

/* "libfoo.so+0x1234", by the address as objdump shows it; code without a file
 * counts from its start. */
static const char *place_name(struct arena *arena, const struct location *location)
{
    const struct module *module = location->module;
    const char *name = module ? module_name(module) : "";
    size_t size = strlen(name) + 32;
    char *text = arena_alloc(arena, size);
    if (!text)
        return NULL;
    uint64_t base = !module ? 0 : module->is_elf ? module->bias : module->start;
    snprintf(text, size, "%s%s0x%" PRIx64, name, module ? "+" : "", location->address - base);
    return text;
}

/* The line that DWARF gave, in our words. False without memory. */
static bool debug_line(struct arena *arena, struct source_line *line,
                       const struct debug_frame *frame)
{
    const char *linkage = frame->linkage_name;
    /* Otherwise it is C, renamed for the linker (__GI_abort): the source says abort. */
    bool use_linkage = linkage && (!frame->name || name_is_mangled(linkage));
    line->function = use_linkage ? name_demangled(arena, linkage) : frame->name;
    line->system_name = use_linkage ? linkage : frame->name;
    line->file = frame->file ? name_path(arena, NULL, frame->file) : NULL;
    line->line = frame->line;
    line->start_line = frame->start_line;
    return (line->function || !line->system_name) && (line->file || !frame->file);
}

/* Names LINE by the first LENGTH bytes of SYMBOL's name. False without memory. */
static bool symbol_line(struct arena *arena, struct source_line *line, const struct symbol *symbol,
                        size_t length)
{
    line->system_name = arena_strndup(arena, symbol->name, length);
    line->function = line->system_name ? name_demangled(arena, line->system_name) : NULL;
    return line->function != NULL;
}

/* Fills in what DWARF has; *LINES stays NULL where it has nothing. False without memory. */
static bool ask_debug(struct symbolizer *symbolizer, struct module_symbols *symbols,
                      struct location *location, struct source_line **lines)
{
    struct debug_answer *answer = &symbolizer->answer;
    uint64_t address = location->address - location->module->bias;
    if (!module_symbols_debug(symbols, address, answer))
        return true;
    size_t count = answer->count > 0 ? answer->count : 1;
    *lines = arena_array(&symbolizer->arena, count, sizeof **lines);
    if (!*lines)
        return false;
    location->line_count = count;
    if (answer->count == 0)
        return debug_line(&symbolizer->arena, *lines, &answer->line);
    for (size_t i = 0; i < count; i++)
        if (!debug_line(&symbolizer->arena, &(*lines)[i], &answer->frames[i]))
            return false;
    location->has_inlines = 1;
    location->function_offset = address - answer->function_start;
    location->has_function = (*lines)[count - 1].function != NULL;
    return true;
}

/* Whether SYMBOL names the function better than LINE, which DWARF gave: with
 * what the bare name was mangled from, or by what a program calls (poll for __poll, the
 * same code; without debug information that is what it is called as well). */
static bool names_better(const struct symbol *symbol, const struct source_line *line,
                         uint64_t function_start)
{
    bool mangled = name_is_mangled(line->system_name);
    if (mangled || symbol->start != function_start)
        return false;
    return name_is_mangled(symbol->name) || (line->function[0] == '_' && symbol->name[0] != '_');
}

/* Names the function itself by the symbol table, where DWARF did not or the table
 * does it better. False without memory. */
static bool ask_table(struct symbolizer *symbolizer, struct module_symbols *symbols,
                      struct location *location, struct source_line *lines)
{
    const struct debug_answer *answer = &symbolizer->answer;
    struct source_line *outermost = &lines[location->line_count - 1];
    if (location->has_function && !answer->may_be_mangled && outermost->function[0] != '_')
        return true;
    uint64_t address = location->address - location->module->bias;
    const struct symbol *symbol = module_symbols_function(symbols, address);
    if (!symbol || (location->has_function &&
                    !names_better(symbol, outermost, address - location->function_offset)))
        return true;
    size_t length = name_length(symbol->name);
    if (location->has_function) /* known by DWARF: the part (".cold") is not its name */
        length = strcspn(symbol->name, ".@");
    if (!location->has_inlines)
        location->function_offset = address - symbol->start;
    location->has_function = 1;
    return symbol_line(&symbolizer->arena, outermost, symbol, length);
}

/* Names LOCATION, whose address and module are set. False without memory. */
static bool name_location(struct symbolizer *symbolizer, struct location *location)
{
    struct source_line *lines = NULL;
    struct module_symbols *symbols = NULL;
    symbolizer->answer.may_be_mangled = false;
    if (location->module && location->module->is_elf) {
        symbols = symbols_of(symbolizer, location->module);
        if (!symbols || !ask_debug(symbolizer, symbols, location, &lines))
            return false;
    }
    if (!lines) {
        location->line_count = 1;
        lines = arena_alloc(&symbolizer->arena, sizeof *lines);
        if (!lines)
            return false;
    }
    if (symbols && !ask_table(symbolizer, symbols, location, lines))
        return false;
    location->lines = lines;
    location->has_lines = lines[0].file && lines[0].line > 0;
    for (size_t i = 0; i < location->line_count; i++) {
        if (!lines[i].function)
            lines[i].function = lines[i].system_name = place_name(&symbolizer->arena, location);
        if (!lines[i].function)
            return false;
    }
    return true;
}

static const struct location *unnamed(struct symbolizer *symbolizer, uint64_t address)
{
    snprintf(symbolizer->unnamed_text, sizeof symbolizer->unnamed_text, "0x%" PRIx64, address);
    symbolizer->unnamed_line = (struct source_line){
        .function = symbolizer->unnamed_text,
        .system_name = symbolizer->unnamed_text,
    };
    symbolizer->unnamed = (struct location){
        .address = address,
        .line_count = 1,
        .lines = &symbolizer->unnamed_line,
    };
    return &symbolizer->unnamed;
}

static bool same_address(const void *within, uint32_t entry, const void *key)
{
    const struct symbolizer *symbolizer = within;
    return symbolizer->locations[entry]->address == *(const uint64_t *)key;
}

/* Keeps LOCATION, in place of the ENTRY that was, HASH_NONE for a new one. False
 * without memory. */
static bool keep(struct symbolizer *symbolizer, const struct location *location, uint32_t entry)
{
    if (entry != HASH_NONE) {
        symbolizer->locations[entry] = location;
        return true;
    }
    const struct location **locations =
        array_reserve(&symbolizer->arena, symbolizer->locations, &symbolizer->capacity,
                      symbolizer->count, sizeof *locations);
    if (!locations)
        return false;
    symbolizer->locations = locations;
    if (!hash_index_insert(&symbolizer->index, &symbolizer->arena, hash_word(0, location->address),
                           (uint32_t)symbolizer->count))
        return false;
    locations[symbolizer->count++] = location;
    return true;
}

const struct location *symbolize(struct symbolizer *symbolizer, uint64_t address)
{
    uint32_t entry = hash_index_find(&symbolizer->index, hash_word(0, address), same_address,
                                     symbolizer, &address);
    const struct location *kept = entry == HASH_NONE ? NULL : symbolizer->locations[entry];
    const struct module *module = kept ? kept->module : NULL;
    if (!module || module->retired) /* there was no code, or is none any more: look again */
        module = module_of(symbolizer->modules, address);
    if (kept && kept->module == module)
        return kept;
    struct location *location = arena_alloc(&symbolizer->arena, sizeof *location);
    if (!location)
        return unnamed(symbolizer, address);
    location->address = address;
    location->module = module;
    if (!name_location(symbolizer, location) || !keep(symbolizer, location, entry))
        return unnamed(symbolizer, address);
    return location;
}

/* The module whose data ADDRESS may be in: data lies behind its own module's code and before the
 * next one's. */
static const struct module *module_before(const struct modules *modules, uint64_t address)
{
    const struct module *found = NULL;
    for (size_t i = 0; i < modules_count(modules); i++) {
        const struct module *module = modules_at(modules, i);
        bool before = !module->retired && module->is_elf && module->start <= address;
        if (before && (!found || module->start > found->start))
            found = module;
    }
    return found;
}

const char *symbolize_variable(struct symbolizer *symbolizer, uint64_t address)
{
    const struct module *module = module_before(symbolizer->modules, address);
    struct module_symbols *symbols = module ? symbols_of(symbolizer, module) : NULL;
    uint64_t offset = 0;
    const char *name =
        symbols ? module_symbols_variable(symbols, address - module->bias, &offset) : NULL;
    char *copy = name ? arena_strndup(&symbolizer->arena, name, name_length(name)) : NULL;
    const char *plain = copy ? name_demangled(&symbolizer->arena, copy) : NULL;
    if (!plain || offset == 0)
        return plain;
    size_t size = strlen(plain) + 24;
    char *text = arena_alloc(&symbolizer->arena, size);
    if (text)
        snprintf(text, size, "%s+0x%" PRIx64, plain, offset);
    return text;
}
