/* variables.c: snag's variables, kept, and taken out of the environment; see variables.h. */
#include "preload/variables.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OURS "libsnag-"
#define PREFIX "SNAG_"
#define KEPT_MAX 32

static char *kept[KEPT_MAX]; /* NAME=VALUE; NULL: no more */

/* What follows NAME= in ENTRY, or NULL. */
static char *value_in(char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

void variables_keep(void)
{
    size_t count = 0;
    for (char **at = environ; at && *at && count < KEPT_MAX; at++)
        if (strncmp(*at, PREFIX, strlen(PREFIX)) == 0 && (kept[count] = strdup(*at)))
            count++;
}

static const char *kept_value(const char *name)
{
    for (size_t i = 0; i < KEPT_MAX && kept[i]; i++) {
        const char *value = value_in(kept[i], name);
        if (value)
            return value;
    }
    return NULL;
}

const char *variables_value(const char *name)
{
    const char *asked = strcmp(name, "SNAG_LISTEN") == 0 ? kept_value(VARIABLE_LISTEN) : NULL;
    return asked ? asked : kept_value(name);
}

/* Whether the path from START to END is of one of our libraries. */
static bool is_ours(const char *start, const char *end)
{
    const char *name = start;
    for (const char *at = start; at < end; at++)
        if (*at == '/')
            name = at + 1;
    return (size_t)(end - name) > strlen(OURS) && strncmp(name, OURS, strlen(OURS)) == 0;
}

/* Takes our libraries out of the list TEXT, in place. */
static void leave_list(char *text)
{
    static const char separators[] = ": ";
    char *to = text;
    const char *from = text;
    while (*from) {
        size_t length = strcspn(from, separators);
        if (length > 0 && !is_ours(from, from + length)) {
            if (to > text)
                *to++ = ':';
            memmove(to, from, length);
            to += length;
        }
        from += length;
        from += strspn(from, separators);
    }
    *to = 0;
}

static bool is_of_run(char *entry)
{
    static const char *const names[] = { VARIABLE_WISH, VARIABLE_LISTEN, VARIABLE_ADDRESS_FILE,
                                         VARIABLE_LEAKCHECK };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (value_in(entry, names[i]))
            return true;
    return false;
}

/* By hand: a program may have a setenv and an unsetenv of its own, as bash
 * has, which do not do this before it has begun. */
void variables_leave_environment(void)
{
    char **to = environ;
    for (char **from = environ; *from; from++) {
        char *list = value_in(*from, "LD_PRELOAD");
        if (list)
            leave_list(list);
        if ((!list || *list) && !is_of_run(*from))
            *to++ = *from;
    }
    *to = NULL;
}
