/* names.h: names as a person reads them. */
#ifndef SNAG_SYMBOLIZE_NAMES_H
#define SNAG_SYMBOLIZE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* The C++ or Rust name that SYMBOL is mangled from, in ARENA; SYMBOL itself where it
 * is not mangled; NULL without memory. */
const char *name_demangled(struct arena *arena, const char *symbol);

/* Whether SYMBOL looks like a mangled C++ or Rust name. */
bool name_is_mangled(const char *symbol);

/* FILE below DIRECTORY (NULL: it stands alone), without "//", "/./" and
 * "/name/..", in ARENA; NULL without memory. */
char *name_path(struct arena *arena, const char *directory, const char *file);

/* How much of a symbol's name is its name: without "@VERSION". */
size_t name_length(const char *symbol);

#endif
