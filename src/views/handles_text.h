/* handles_text.h: the same words for live handles in the forms that are read. */
#ifndef SNAG_VIEWS_HANDLES_TEXT_H
#define SNAG_VIEWS_HANDLES_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct handle_dump;
struct handle_holding;
struct inventory_dump;
struct sink;
struct symbolizer;

/* "1,204 handles" */
void handles_write_count(struct sink *sink, uint64_t count);

/* How many in how many inventories, and then what is not known, a line each. */
void handles_write_totals(struct sink *sink, const struct handle_dump *dump);

/* "http.responses: 1,204 handles, 3.1 MB, mean age 2 min", as a line. */
void handles_write_inventory(struct sink *sink, const struct inventory_dump *inventory);

/* "3.1 MB, oldest 3 min, mean age 2 min", each part with ", " in front of it. */
void handles_write_sums(struct sink *sink, const struct handle_holding *holding);

/* "labels key=value, other=value", as a line behind INDENT; nothing without labels. */
void handles_write_labels(struct sink *sink, const struct handle_holding *holding,
                          const char *indent);

/* The stack, and why there is no more of it. */
void handles_write_stack(struct sink *sink, const struct handle_holding *holding,
                         struct symbolizer *symbolizer, const char *indent, int with_addresses);

/* What went wrong in INVENTORY: wrong removes with their stacks, double adds, what was lost. */
void handles_write_faults(struct sink *sink, const struct inventory_dump *inventory,
                          struct symbolizer *symbolizer, int with_addresses);

/* What stands in place of a stack that is not known; NULL where it is known. */
const char *handles_stack_word(const struct handle_holding *holding);

/* The inventories of DUMP, the fullest first; to be freed with free(). NULL without memory. */
const struct inventory_dump **handles_fullest_first(const struct handle_dump *dump);

#endif
