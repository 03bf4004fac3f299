/* symbol_table.h: functions by address, from .symtab or .dynsym. */
#ifndef SNAG_SYMBOLIZE_SYMBOL_TABLE_H
#define SNAG_SYMBOLIZE_SYMBOL_TABLE_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
    const char *name;    /* in the ELF file's memory, "@VERSION" and all; NULL: no function, but
                            where one without a size ends */
    uint64_t start, end; /* addresses in the file */
    uint64_t reach;      /* the furthest end of this and all before */
    unsigned char rank;  /* smaller is the better name for the same code */
    bool sized;          /* the size is the binary's; else the code goes up to the next symbol */
};

struct symbol_table {
    struct symbol *symbols; /* by start, the best name for a start last */
    size_t count;
    size_t capacity;
};

/* Reads the functions of ELF's symbol table in SECTION. What is corrupt is left out;
 * false without memory. */
bool symbol_table_read(struct symbol_table *table, Elf *elf, Elf_Scn *section);
void symbol_table_free(struct symbol_table *table);

/* The function whose code ADDRESS is in, or NULL: never one that ends before. */
const struct symbol *symbol_table_find(const struct symbol_table *table, uint64_t address);

/* The variable that ADDRESS is in, by the symbol table in SECTION of ELF, and how far in it; NULL.
 */
const char *symbol_table_variable(Elf *elf, Elf_Scn *section, uint64_t address, uint64_t *offset);

#endif
