/* alarms.h: what grows, in words; kept from one look to the next. Private to watch/. */
#ifndef SNAG_WATCH_ALARMS_H
#define SNAG_WATCH_ALARMS_H

#include "watch/watch.h"

#include <stdbool.h>

struct alarms;
struct series;

/* PERIOD_SECONDS as in struct watch_options. NULL without memory. */
struct alarms *alarms_new(unsigned period_seconds);
void alarms_free(struct alarms *alarms);

/* Has the detector look at SERIES, NOW_NS being CLOCK_MONOTONIC. Each line of what is new goes to
 * SAY. True: an alarm has begun, or one has doubled. */
bool alarms_look(struct alarms *alarms, const struct series *series, uint64_t now_ns,
                 void (*say)(void *user, const char *line), void *user);

/* As of the last look. */
const struct watch_growth *alarms_list(const struct alarms *alarms, size_t *count);

#endif
