/* slots.h: a slot for each thread that has labels. Private to labels/. */
#ifndef SNAG_LABELS_SLOTS_H
#define SNAG_LABELS_SLOTS_H

#include "labels/layout.h"

#include <pthread.h>
#include <stdbool.h>

extern struct label_root snag_labels_root;

/* The calling thread's slot, NULL when it has none. Read by label_set_here at every handle, and
 * from outside: see layout.h on `owner`. */
extern _Thread_local _Atomic(struct label_slot *) label_slot_here
    __attribute__((tls_model("initial-exec")));

/* Its value in a thread is the thread's slot, which is given back at the thread's end. */
extern pthread_key_t label_slot_key;
extern _Atomic bool label_slot_has_key;

/* A slot that is nobody's, without labels; NULL, counted, when there is none. */
struct label_slot *label_slot_take(void);
void label_slot_give_back(struct label_slot *slot);

/* The calling thread's, which is taken if it has none yet; NULL when there is none. */
struct label_slot *label_slot_open(void);

/* Around each change of a slot. False: this is a signal handler amid one. */
bool label_slot_change(struct label_slot *slot);
void label_slot_changed(struct label_slot *slot);

/* The labels and no more. TO is nobody's yet. */
void label_slot_copy(struct label_slot *to, const struct label_slot *from);

#endif
