/* text.h: the labels in a slot. Private to labels/. */
#ifndef SNAG_LABELS_TEXT_H
#define SNAG_LABELS_TEXT_H

#include "labels/layout.h"

#include <stdbool.h>
#include <stddef.h>

/* A key and a value as they are kept: cut between two characters where they are too long, which
 * then end in "...". */
struct label_words {
    size_t key_size; /* with the terminating 0 */
    size_t value_size;
    char key[LABEL_KEY_MAX + 1];
    char value[LABEL_VALUE_MAX + 1];
};

void label_words_make(struct label_words *words, const char *key, const char *value);

/* Whether SLOT has this label, or (with_value false) any of this key. */
bool label_text_has(const struct label_slot *slot, const struct label_words *words);
bool label_text_knows(const struct label_slot *slot, const struct label_words *words);

/* In place of an earlier value. Without room for it the earlier one is gone as well. */
void label_text_put(struct label_slot *slot, const struct label_words *words);
void label_text_remove(struct label_slot *slot, const struct label_words *words);
void label_text_clear(struct label_slot *slot);

#endif
