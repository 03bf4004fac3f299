/* module_symbols.h: everything known of one module's code, opened when first asked. */
#ifndef SNAG_SYMBOLIZE_MODULE_SYMBOLS_H
#define SNAG_SYMBOLIZE_MODULE_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

struct debug_answer;
struct module;
struct module_symbols;
struct symbol;
struct target;

/* NULL without memory; a module whose file is not to be had is not an error. */
struct module_symbols *module_symbols_new(struct target *target, const struct module *module);
void module_symbols_free(struct module_symbols *symbols);

/* The module that they were made for. */
const struct module *module_symbols_module(const struct module_symbols *symbols);

/* Begins to read DWARF on a thread of its own; whoever asks next waits for it. */
void module_symbols_read_ahead(struct module_symbols *symbols);

/* What DWARF says of ADDRESS, an address in the file. False: nothing. */
bool module_symbols_debug(struct module_symbols *symbols, uint64_t address,
                          struct debug_answer *answer);

/* The function in the symbol table that ADDRESS is in, or NULL. */
const struct symbol *module_symbols_function(struct module_symbols *symbols, uint64_t address);

/* The static variable that ADDRESS is in, by the symbol table: its name, as in the binary, and how
 * far in it. NULL where there is none. Walks all symbols. */
const char *module_symbols_variable(struct module_symbols *symbols, uint64_t address,
                                    uint64_t *offset);

#endif
