/* labels.h: labels of the calling thread, for handles and for threads it starts.
 *
 * The public calls are snag_label_set and snag_label_clear (include/snag/snag.h). This folder runs
 * in the service's own threads and is part of libsnag. No lock is waited for and nothing is
 * malloc'd; the two calls below may come from a signal handler. */
#ifndef SNAG_LABELS_LABELS_H
#define SNAG_LABELS_LABELS_H

#include <stdint.h>

struct label_root;

/* The number of the calling thread's labels as a set (layout.h): LABEL_SET_NONE, at the price of
 * reading a thread-local word, when it has none. Never fails: LABEL_SET_OTHER when there is no
 * room. */
uint32_t label_set_here(void);

/* Has the calling thread begin with the labels of set NUMBER: a thread that was just started. */
void labels_inherit(uint32_t number);

/* The tables, for those who publish where they are; never NULL. */
const struct label_root *label_root_of_process(void);

#endif
