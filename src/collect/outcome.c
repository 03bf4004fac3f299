/* outcome.c: how the attempt to get one profile ended; see outcome.h. */
#include "collect/outcome.h"

#include <stdarg.h>
#include <stdio.h>

void outcome_set(struct outcome *outcome, enum outcome_kind kind, const char *format, ...)
{
    va_list arguments;
    outcome->kind = kind;
    outcome->status = 0;
    va_start(arguments, format);
    vsnprintf(outcome->why, sizeof outcome->why, format, arguments);
    va_end(arguments);
    for (char *at = outcome->why; *at; at++)
        if (*at < ' ' || *at > '~') /* plain char: what is not ASCII is below or above, too */
            *at = '?';
}

bool outcome_is_of_target(const struct outcome *outcome)
{
    return outcome->kind >= OUTCOME_NO_ADDRESS && outcome->kind <= OUTCOME_NO_MEMORY;
}

bool outcome_is_same(const struct outcome *left, const struct outcome *right)
{
    return left->kind == right->kind && left->status == right->status;
}
