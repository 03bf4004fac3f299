/* tokens.h: what each target wants to be shown: SNAG_TOKEN of the environment, or a file with one
 * line TOKEN for all, or lines SERVICE TOKEN and ADDRESS TOKEN, or both. '#' begins a comment. */
#ifndef SNAG_COLLECT_TOKENS_H
#define SNAG_COLLECT_TOKENS_H

#include "collect/target.h"

struct token;

struct tokens {
    struct token *list;
    char *for_all; /* NULL: none */
};

/* FILE NULL: the environment alone. 0, or a negative errno and WHY; then TOKENS is as before. */
int tokens_read(struct tokens *tokens, const char *file, char *why, size_t size);

/* NULL: none. */
const char *tokens_find(const struct tokens *tokens, const struct target *target);

void tokens_free(struct tokens *tokens);

#endif
