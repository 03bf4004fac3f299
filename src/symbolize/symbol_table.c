/* symbol_table.c: functions by address; see symbol_table.h.
 *
 * An address is in a function only up to its size. Hand-written assembly
 * often has no size (_start, __restore_rt): such a function is believed up to the next
 * symbol of its section, whatever that is, because nothing else can begin there. A table for
 * linking leaves out what begins there unexported: in that one it is believed where it begins.
 *
 * One piece of code has many names in a C library (__libc_read, __read, read):
 * the one shown is what a program calls, so exported before local, and without
 * underscores before with. */
#include "symbolize/symbol_table.h"

#include "symbolize/names.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

/* A section's index, where it may be an extended one, is not in the symbol. */
static GElf_Word section_of(const GElf_Sym *symbol, GElf_Word extended)
{
    return symbol->st_shndx == SHN_XINDEX ? extended : symbol->st_shndx;
}

static unsigned char rank_of(const char *name, unsigned binding)
{
    unsigned underscores = 0;
    while (!name_is_mangled(name) && name[underscores] == '_' && underscores < 7)
        underscores++;
    unsigned rank = underscores * 2 + (binding == STB_WEAK);
    return (unsigned char)(binding == STB_LOCAL ? rank + 64 : rank);
}

/* By start; then the better the later. */
static int compare(const void *left, const void *right)
{
    const struct symbol *a = left;
    const struct symbol *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (!a->name != !b->name)
        return a->name ? 1 : -1;
    if (a->sized != b->sized)
        return a->sized ? 1 : -1;
    if (!a->name || a->rank != b->rank)
        return (a->rank < b->rank) - (a->rank > b->rank);
    size_t x = name_length(a->name);
    size_t y = name_length(b->name);
    if (x != y)
        return x < y ? 1 : -1;
    return strncmp(b->name, a->name, x);
}

static bool append(struct symbol_table *table, struct symbol symbol)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 1024;
        struct symbol *grown = realloc(table->symbols, capacity * sizeof *grown);
        if (!grown)
            return false;
        table->symbols = grown;
        table->capacity = capacity;
    }
    table->symbols[table->count++] = symbol;
    return true;
}

/* Reads one entry of TABLE; false where it tells nothing about code. */
static bool read_symbol(struct symbol *symbol, Elf *elf, const GElf_Sym *entry, GElf_Word section,
                        const GElf_Shdr *table)
{
    unsigned type = GELF_ST_TYPE(entry->st_info);
    bool function = type == STT_FUNC || type == STT_GNU_IFUNC;
    if ((!function && type != STT_NOTYPE) || section == SHN_UNDEF || entry->st_value == 0)
        return false;
    Elf_Scn *where = elf_getscn(elf, section);
    GElf_Shdr header;
    if (!where || !gelf_getshdr(where, &header) || !(header.sh_flags & SHF_EXECINSTR))
        return false;
    const char *name = elf_strptr(elf, table->sh_link, entry->st_name);
    /* $x and $d mark code and data inside functions of ARM. */
    if (!name || !*name || *name == '$')
        return false;
    bool sized = entry->st_size > 0;
    uint64_t end = header.sh_addr + header.sh_size;
    if (sized || table->sh_type == SHT_DYNSYM)
        end = entry->st_value + (sized ? entry->st_size : 1);
    if (end <= entry->st_value)
        return false;
    *symbol = (struct symbol){
        .name = function ? name : NULL,
        .start = entry->st_value,
        .end = end,
        .rank = rank_of(name, GELF_ST_BIND(entry->st_info)),
        .sized = sized,
    };
    return true;
}

/* Ends what has no size at the next symbol, and sums up how far each reaches. */
static void settle(struct symbol_table *table)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = table->count; i > 0; i--) {
        struct symbol *symbol = &table->symbols[i - 1];
        if (i < table->count && symbol->start < symbol[1].start)
            next = symbol[1].start;
        if (!symbol->sized && symbol->end > next)
            symbol->end = next;
    }
    uint64_t reach = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (table->symbols[i].name && table->symbols[i].end > reach)
            reach = table->symbols[i].end;
        table->symbols[i].reach = reach;
    }
}

/* The table of extended section indexes that belongs to SECTION, or NULL. */
static Elf_Data *extended_indexes(Elf *elf, Elf_Scn *section)
{
    int index = elf_scnshndx(section);
    Elf_Scn *extended = index > 0 ? elf_getscn(elf, (size_t)index) : NULL;
    return extended ? elf_getdata(extended, NULL) : NULL;
}

bool symbol_table_read(struct symbol_table *table, Elf *elf, Elf_Scn *section)
{
    *table = (struct symbol_table){ 0 };
    GElf_Shdr header;
    Elf_Data *data = elf_getdata(section, NULL);
    size_t entry_size = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    if (!data || !gelf_getshdr(section, &header) || entry_size == 0)
        return true;
    Elf_Data *extended = extended_indexes(elf, section);
    size_t count = data->d_size / entry_size;
    for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
        GElf_Sym entry;
        GElf_Word index = 0;
        struct symbol symbol;
        if (gelf_getsymshndx(data, extended, (int)i, &entry, &index) &&
            read_symbol(&symbol, elf, &entry, section_of(&entry, index), &header) &&
            !append(table, symbol)) {
            symbol_table_free(table);
            return false;
        }
    }
    if (table->count > 0)
        qsort(table->symbols, table->count, sizeof *table->symbols, compare);
    settle(table);
    return true;
}

void symbol_table_free(struct symbol_table *table)
{
    free(table->symbols);
    *table = (struct symbol_table){ 0 };
}

const struct symbol *symbol_table_find(const struct symbol_table *table, uint64_t address)
{
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->symbols[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    /* Backward while one that began before can still reach ADDRESS. */
    for (size_t i = low; i > 0 && table->symbols[i - 1].reach > address; i--)
        if (table->symbols[i - 1].name && table->symbols[i - 1].end > address)
            return &table->symbols[i - 1];
    return NULL;
}

const char *symbol_table_variable(Elf *elf, Elf_Scn *section, uint64_t address, uint64_t *offset)
{
    GElf_Shdr header;
    Elf_Data *data = elf_getdata(section, NULL);
    size_t entry_size = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    if (!data || !gelf_getshdr(section, &header) || entry_size == 0)
        return NULL;
    const char *found = NULL;
    uint64_t size = UINT64_MAX; /* the smallest one that holds it */
    for (size_t i = 0; i < data->d_size / entry_size && i <= INT32_MAX; i++) {
        GElf_Sym entry;
        if (!gelf_getsym(data, (int)i, &entry) || GELF_ST_TYPE(entry.st_info) != STT_OBJECT ||
            entry.st_shndx == SHN_UNDEF || address < entry.st_value ||
            address - entry.st_value >= entry.st_size || entry.st_size >= size)
            continue;
        const char *name = elf_strptr(elf, header.sh_link, entry.st_name);
        if (!name || !*name)
            continue;
        found = name;
        size = entry.st_size;
        *offset = address - entry.st_value;
    }
    return found;
}
