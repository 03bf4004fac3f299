/* guess.h: which of the words that exist a mistyped one was to be. */
#ifndef SNAG_TOOL_GUESS_H
#define SNAG_TOOL_GUESS_H

#include <stddef.h>

struct guess {
    const char *typed;
    size_t length;    /* of what was typed */
    const char *best; /* NULL: nothing is near; not ended by 0 when its word was not */
    size_t best_length;
    size_t distance;
};

/* TYPED ends at its 0 or at a '=', behind which a value is. */
void guess_begin(struct guess *guess, const char *typed);

/* WORD, of LENGTH bytes, exists; it is kept, not copied, if none was nearer. */
void guess_offer(struct guess *guess, const char *word, size_t length);

#endif
