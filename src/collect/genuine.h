/* genuine.h: whether bytes that a target sent are a profile that pprof will read. */
#ifndef SNAG_COLLECT_GENUINE_H
#define SNAG_COLLECT_GENUINE_H

#include "collect/outcome.h"

/* A profile of at most MOST bytes may unpack to this many times as much. */
#define GENUINE_GROWTH 8

/* OUTCOME is OUTCOME_OK, or says what it is instead. */
void genuine_check(const void *bytes, size_t length, size_t most, struct outcome *outcome);

#endif
