/* tracking_symbol.h: where a loaded library has one of its symbols. */
#ifndef SNAG_SOURCES_TRACKING_SYMBOL_H
#define SNAG_SOURCES_TRACKING_SYMBOL_H

#include <stdint.h>

struct target;

/* The address of the data or function NAME that the shared library loaded at
 * BIAS exports; 0 when it has none, or is no library. */
uint64_t loaded_symbol(struct target *target, uint64_t bias, const char *name);

#endif
