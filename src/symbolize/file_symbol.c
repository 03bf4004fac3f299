/* file_symbol.c: variables by name, from .symtab; see file_symbol.h.
 *
 * A program that is linked with a static library has its variables in no dynamic table: only the
 * file knows them, and only until it is stripped. One pass over the table for all names. */
#include "symbolize/file_symbol.h"

#include "modules/modules.h"
#include "symbolize/elf_file.h"

#include <gelf.h>
#include <string.h>

static void take_symbol(Elf *elf, const GElf_Shdr *table, const GElf_Sym *symbol,
                        const struct module *module, const char *const *names, uint64_t *addresses,
                        size_t count)
{
    if (GELF_ST_TYPE(symbol->st_info) != STT_OBJECT || symbol->st_shndx == SHN_UNDEF)
        return;
    const char *name = elf_strptr(elf, table->sh_link, symbol->st_name);
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(name, names[i]) == 0)
            addresses[i] = module->bias + symbol->st_value;
}

static void search(Elf *elf, Elf_Scn *section, const struct module *module,
                   const char *const *names, uint64_t *addresses, size_t count)
{
    GElf_Shdr table;
    GElf_Sym symbol;
    Elf_Data *data = elf_getdata(section, NULL);
    size_t size = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    if (!data || !gelf_getshdr(section, &table) || size == 0)
        return;
    for (size_t i = 0; i < data->d_size / size && i <= INT32_MAX; i++)
        if (gelf_getsym(data, (int)i, &symbol))
            take_symbol(elf, &table, &symbol, module, names, addresses, count);
}

void file_symbols(struct target *target, const struct module *module, const char *const *names,
                  uint64_t *addresses, size_t count)
{
    struct elf_file file;
    memset(addresses, 0, count * sizeof *addresses);
    if (!elf_file_open(&file, target, module))
        return;
    Elf_Scn *section = elf_file_section(file.elf, ".symtab");
    if (section)
        search(file.elf, section, module, names, addresses, count);
    elf_file_close(&file);
}
