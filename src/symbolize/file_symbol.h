/* file_symbol.h: where a module has a variable that it does not export. */
#ifndef SNAG_SYMBOLIZE_FILE_SYMBOL_H
#define SNAG_SYMBOLIZE_FILE_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

struct module;
struct target;

/* Puts the addresses, in the target, of MODULE's variables called NAMES into ADDRESSES; 0 where its
 * file has no such one in its symbol table (it was stripped), or is not to be had. */
void file_symbols(struct target *target, const struct module *module, const char *const *names,
                  uint64_t *addresses, size_t count);

#endif
