/* names.h: what a target calls itself, as part of a path: letters, digits, '.', '_' and '-', no
 * dot at the front, no longer than NAME_MOST. Whatever else stood there is '_'. */
#ifndef SNAG_COLLECT_NAMES_H
#define SNAG_COLLECT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_MOST 100
#define NAME_SIZE (NAME_MOST + 1)

/* What is cut off is told apart by a number at the end. */
void name_make_safe(const char *text, char name[NAME_SIZE]);

/* Whether NAME, of LENGTH bytes, could have been made so. */
bool name_is_safe(const char *name, size_t length);

/* FNV-1a; the same for the same text wherever it runs. */
uint64_t name_hash(const char *text);

#endif
