/* outcome.h: how the attempt to get one profile ended, in a kind and in words.
 *
 * Kinds are compared, to tell whether a target fails as it did before; words are for people and
 * may hold what the target sent, made printable. */
#ifndef SNAG_COLLECT_OUTCOME_H
#define SNAG_COLLECT_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

enum outcome_kind {
    OUTCOME_OK,
    /* The target as a whole: its other profiles need not be asked for. */
    OUTCOME_NO_ADDRESS,
    OUTCOME_NO_CONNECTION,
    OUTCOME_TIMEOUT,
    OUTCOME_NO_MEMORY,
    /* This profile. */
    OUTCOME_CUT_SHORT,
    OUTCOME_NOT_HTTP,
    OUTCOME_STATUS,
    OUTCOME_TYPE,
    OUTCOME_TOO_LARGE,
    OUTCOME_NOT_GZIP,
    OUTCOME_NOT_PROFILE,
    OUTCOME_NOT_WRITTEN /* our own disk: said once for all targets */
};

struct outcome {
    enum outcome_kind kind;
    int status; /* with OUTCOME_STATUS, of HTTP; else 0 */
    char why[256];
};

/* Control characters and what is not ASCII become '?'. */
__attribute__((format(printf, 3, 4))) void
outcome_set(struct outcome *outcome, enum outcome_kind kind, const char *format, ...);

bool outcome_is_of_target(const struct outcome *outcome);
/* But for the words. */
bool outcome_is_same(const struct outcome *left, const struct outcome *right);

#endif
