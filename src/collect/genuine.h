/* genuine.h: whether bytes that a target sent are a profile that pprof will read. */
#ifndef SNAG_COLLECT_GENUINE_H
#define SNAG_COLLECT_GENUINE_H

#include "collect/outcome.h"

#define PROGRAM_SIZE 64

/* It may unpack to at most LIMIT bytes, and take four times that in memory. OUTCOME is OUTCOME_OK,
 * or says what it is instead. PROGRAM is the name of the file that ran, by the first mapping; ""
 * where none is told. */
void genuine_check(const void *bytes, size_t length, size_t limit, char program[PROGRAM_SIZE],
                   struct outcome *outcome);

#endif
