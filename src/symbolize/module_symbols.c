/* module_symbols.c: one module's DWARF and symbol table; see module_symbols.h.
 *
 * Each is taken from where it is: DWARF from the file itself, else from its
 * debug file; functions from .symtab of either, else from .dynsym, which has only what
 * is exported. While DWARF is read ahead, the files are the reader's alone: libelf knows no locks.
 */
#include "symbolize/module_symbols.h"

#include "modules/modules.h"
#include "symbolize/debug_info.h"
#include "symbolize/elf_file.h"
#include "symbolize/symbol_table.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* Debug sections are read whole. What is larger is left alone: names then come
 * from the symbol table. */
#define DEBUG_SIZE_MAX (1ull << 30)

struct module_symbols {
    struct target *target;
    const struct module *module;
    struct elf_file file;
    struct elf_file debug_file;
    bool debug_file_sought;
    bool debug_read;
    struct debug_info *debug; /* NULL with debug_read: none */
    bool reading; /* by this thread, whose all the above but `target` is until joined: */
    pthread_t reader;
    bool table_read;
    struct symbol_table table; /* empty: none */
};

struct module_symbols *module_symbols_new(struct target *target, const struct module *module)
{
    struct module_symbols *symbols = calloc(1, sizeof *symbols);
    if (!symbols)
        return NULL;
    symbols->target = target;
    symbols->module = module;
    symbols->debug_file.fd = -1;
    elf_file_open(&symbols->file, target, module);
    return symbols;
}

/* Waits for the reader, if there is one. */
static void finish_reading(struct module_symbols *symbols)
{
    if (!symbols->reading)
        return;
    pthread_join(symbols->reader, NULL);
    symbols->reading = false;
    symbols->debug_read = true;
}

void module_symbols_free(struct module_symbols *symbols)
{
    if (!symbols)
        return;
    finish_reading(symbols);
    symbol_table_free(&symbols->table);
    debug_info_free(symbols->debug);
    elf_file_close(&symbols->debug_file);
    elf_file_close(&symbols->file);
    free(symbols);
}

const struct module *module_symbols_module(const struct module_symbols *symbols)
{
    return symbols->module;
}

/* The separate debug file, NULL when there is none. */
static Elf *debug_file(struct module_symbols *symbols)
{
    if (!symbols->debug_file_sought && symbols->file.elf)
        elf_file_open_debug(&symbols->debug_file, symbols->target, symbols->module, &symbols->file);
    symbols->debug_file_sought = true;
    return symbols->debug_file.elf;
}

static bool has_debug_info(Elf *elf)
{
    return elf && (elf_file_section(elf, ".debug_info") || elf_file_section(elf, ".zdebug_info")) &&
           elf_file_size_of(elf, ".debug_") + elf_file_size_of(elf, ".zdebug_") <= DEBUG_SIZE_MAX;
}

static struct debug_info *read_debug(struct module_symbols *symbols)
{
    if (has_debug_info(symbols->file.elf))
        return debug_info_new(symbols->file.elf);
    if (has_debug_info(debug_file(symbols)))
        return debug_info_new(symbols->debug_file.elf);
    return NULL;
}

static void *reader_main(void *argument)
{
    struct module_symbols *symbols = argument;
    symbols->debug = read_debug(symbols);
    return NULL;
}

void module_symbols_read_ahead(struct module_symbols *symbols)
{
    sigset_t all, before;
    if (symbols->reading || symbols->debug_read || !symbols->file.elf)
        return;
    if (!has_debug_info(symbols->file.elf))
        debug_file(symbols); /* here: the target is not the reader's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    symbols->reading = pthread_create(&symbols->reader, NULL, reader_main, symbols) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool module_symbols_debug(struct module_symbols *symbols, uint64_t address,
                          struct debug_answer *answer)
{
    finish_reading(symbols);
    if (!symbols->debug_read)
        symbols->debug = read_debug(symbols);
    symbols->debug_read = true;
    return symbols->debug && debug_info_find(symbols->debug, address, answer);
}

/* The symbol table with the most in it, and the ELF that it is in; NULL. */
static Elf_Scn *best_table(struct module_symbols *symbols, Elf **elf)
{
    finish_reading(symbols);
    *elf = symbols->file.elf;
    if (!*elf)
        return NULL;
    Elf_Scn *section = elf_file_section(*elf, ".symtab");
    if (!section && debug_file(symbols)) {
        section = elf_file_section(debug_file(symbols), ".symtab");
        *elf = section ? debug_file(symbols) : *elf;
    }
    return section ? section : elf_file_section(*elf, ".dynsym");
}

static void read_table(struct module_symbols *symbols)
{
    Elf *elf;
    Elf_Scn *section = best_table(symbols, &elf);
    if (section)
        symbol_table_read(&symbols->table, elf, section);
}

const struct symbol *module_symbols_function(struct module_symbols *symbols, uint64_t address)
{
    if (!symbols->table_read)
        read_table(symbols);
    symbols->table_read = true;
    return symbol_table_find(&symbols->table, address);
}

const char *module_symbols_variable(struct module_symbols *symbols, uint64_t address,
                                    uint64_t *offset)
{
    Elf *elf;
    Elf_Scn *section = best_table(symbols, &elf);
    return section ? symbol_table_variable(elf, section, address, offset) : NULL;
}
