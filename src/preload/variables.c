/* variables.c: snag's variables, kept, and taken out of the environment; see variables.h. */
#include "preload/variables.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
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
                                         VARIABLE_LEAKCHECK, VARIABLE_EVEN };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (value_in(entry, names[i]))
            return true;
    return false;
}

/* Behind the environment lie the auxiliary vector's pairs, and some programs (Go's) look for them
 * there. What is free now between the two, from TO up to the old end AT, is made pairs that say
 * nothing; it is an even number of words. */
static void fill_with_pairs(char **to, char **at)
{
    for (char **word = to; word < at; word += 2)
        *(uintptr_t *)word = AT_IGNORE;
}

/* By hand: a program may have a setenv and an unsetenv of its own, as bash
 * has, which do not do this before it has begun. */
void variables_leave_environment(void)
{
    static char nothing[] = "";
    char **to = environ;
    char **from;
    for (from = environ; *from; from++) {
        char *list = value_in(*from, "LD_PRELOAD");
        if (list)
            leave_list(list);
        if ((!list || *list) && !is_of_run(*from))
            *to++ = *from;
    }
    if ((from - to) % 2 != 0)
        *to++ = nothing; /* `snag run` sets an even number; somebody else did not */
    if (to == from)
        return;
    *to = NULL;
    fill_with_pairs(to + 1, from);
}
