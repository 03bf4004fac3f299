/* readable.h: the readable mappings of the own process, for handlers that
 * copy by plain loads (see struct ask_slot). */
#ifndef SNAG_CAPTURE_READABLE_H
#define SNAG_CAPTURE_READABLE_H

#include "capture/slot.h"

struct target;

/* To be freed with free(); NULL without memory or maps. */
struct readable_list *readable_list_read(struct target *target);

#endif
