/* number.h: decimal numbers in text that somebody wrote: an option, a query.
 *
 * Digits and nothing else: no sign, no space, no wrapping round, and no locale. */
#ifndef SNAG_BASE_NUMBER_H
#define SNAG_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* The number that TEXT begins with; what stands behind it. NULL where TEXT begins with no digit, or
 * the number is more than MOST. */
const char *number_begin(const char *text, uint64_t most, uint64_t *number);

/* Whether TEXT is a number and nothing else, and not more than MOST. */
bool number_read(const char *text, unsigned most, unsigned *number);

#endif
