/* term.h: that a SIGTERM came, without standing in its way. */
#ifndef SNAG_WATCH_TERM_H
#define SNAG_WATCH_TERM_H

#include <stdbool.h>

/* Puts a handler before the service's own, if it has one: by default the signal ends the process,
 * and there is nothing to see. To be called again from time to time, as the service may set
 * another. Where a SIGTERM comes, the calling thread gets WAKE_SIGNAL. */
void term_watch(int wake_signal);

/* Whether one came since the last time. */
bool term_came(void);

#endif
