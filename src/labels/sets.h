/* sets.h: sets of labels, each once. Private to labels/. */
#ifndef SNAG_LABELS_SETS_H
#define SNAG_LABELS_SETS_H

#include <stdint.h>

struct label_slot;

/* The number of the set that SLOT's labels are; LABEL_SET_OTHER when there is no room. */
uint32_t label_set_number(const struct label_slot *slot);

#endif
