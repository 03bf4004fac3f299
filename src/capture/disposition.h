/* disposition.h: the handler of SIGURG, which may be the service's too. */
#ifndef SNAG_CAPTURE_DISPOSITION_H
#define SNAG_CAPTURE_DISPOSITION_H

#include "capture/slot.h"

#define ASK_SIGNAL SIGURG

/* Sees to it that our handler is the one that the kernel calls, and that it
 * hands on to what was there. To be called before each asking. 0 or a negative errno. */
int disposition_take(struct ask_table *table);

#endif
