/* labels.h: labels of the calling thread, for handles and for threads it starts.
 *
 * The public calls are snag_label_set and snag_label_clear (include/snag/snag.h). This folder runs
 * in the service's own threads and is part of libsnag. No lock is waited for, nothing is
 * malloc'd and errno stays as it was.
 *
 *     labels.c   the calls
 *     slots.c    a slot for each thread that has labels; its end; fork
 *     text.c     labels in a slot
 *     sets.c     sets of labels, each once, for handles
 *     inherit.c  a new thread begins with its creator's
 *
 * A thread has its slot from its first label to its end. What is written is in layout.h, for
 * readers outside. */
#ifndef SNAG_LABELS_LABELS_H
#define SNAG_LABELS_LABELS_H

#include <stdint.h>

struct label_root;
struct label_slot;

/* The number of the calling thread's labels as a set (layout.h): LABEL_SET_NONE, at the price of
 * reading a thread-local word, when it has none. Never fails: LABEL_SET_OTHER when there is no
 * room. May come from a signal handler; one that interrupted a change of the labels gets those
 * before it, or LABEL_SET_OTHER. */
uint32_t label_set_here(void);

/* A new thread's labels, in three steps. The creator has a copy of its own made, NULL for none;
 * the new thread takes it over, before anything else; if there is no thread after all, the copy is
 * given up. */
struct label_slot *labels_for_thread(void);
void labels_begin(struct label_slot *slot);
void labels_unused(struct label_slot *slot);

/* The tables, for those who publish where they are; never NULL. */
const struct label_root *label_root_of_process(void);

#endif
