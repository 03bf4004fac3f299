/* variables.c: snag's variables, kept, and taken out of the environment; see variables.h. */
#include "preload/variables.h"

#include <elf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OURS "libsnag-"
#define PREFIX "SNAG_"
#define KEPT_MAX 32

static char *kept[KEPT_MAX]; /* NAME=VALUE; NULL: no more */

static char own_preload[2 * PATH_MAX]; /* our libraries, as LD_PRELOAD had them */
static char listen_entry[256];         /* VARIABLE_LISTEN and the address */

/* What follows NAME= in ENTRY, or NULL. */
static char *value_in(char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

static void keep_preload(void);

void variables_keep(void)
{
    size_t count = 0;
    keep_preload();
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

/* The same list, the other part. */
static void keep_preload(void)
{
    static const char separators[] = ": ";
    const char *from = getenv("LD_PRELOAD");
    size_t length = 0;
    while (from && *from) {
        size_t part = strcspn(from, separators);
        size_t room = sizeof own_preload - length;
        if (is_ours(from, from + part) && part + 2 < room)
            length += (size_t)snprintf(own_preload + length, room, "%s%.*s", length ? ":" : "",
                                       (int)part, from);
        from += part;
        from += strspn(from, separators);
    }
}

static bool is_of_run(char *entry)
{
    static const char *const names[] = { VARIABLE_WISH,      VARIABLE_LISTEN, VARIABLE_ADDRESS_FILE,
                                         VARIABLE_LEAKCHECK, VARIABLE_STDERR, VARIABLE_EVEN };
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

void variables_tell_address(const char *address)
{
    snprintf(listen_entry, sizeof listen_entry, VARIABLE_LISTEN "=%s", address);
}

static char *kept_entry(const char *name)
{
    for (size_t i = 0; i < KEPT_MAX && kept[i]; i++)
        if (value_in(kept[i], name))
            return kept[i];
    return NULL;
}

static bool is_for_children(void)
{
    const char *wish = kept_value(VARIABLE_WISH);
    return wish && strcmp(wish, VARIABLE_WISH_CHILDREN) == 0;
}

bool variables_are_in(char *const *environment)
{
    for (; *environment; environment++)
        if (value_in(*environment, VARIABLE_WISH))
            return true;
    return false;
}

bool variables_for_exec(char *const *environment, char **result, char *text, size_t size)
{
    static char even[] = VARIABLE_EVEN "=1";
    char *const ours[] = { kept_entry(VARIABLE_WISH),
                           is_for_children() ? kept_entry(VARIABLE_LISTEN) : listen_entry,
                           kept_entry(VARIABLE_ADDRESS_FILE), kept_entry(VARIABLE_STDERR) };
    const char *others = "";
    size_t count = 0;
    for (; *environment; environment++) {
        const char *list = value_in(*environment, "LD_PRELOAD");
        if (list)
            others = list;
        else if (!is_of_run(*environment))
            result[count++] = *environment;
    }
    size_t before = count;
    int length = snprintf(text, size, "LD_PRELOAD=%s%s%s", own_preload, *others ? ":" : "", others);
    if (length < 0 || (size_t)length >= size)
        return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (ours[i])
            result[count++] = ours[i];
    if ((count - before + !*others) % 2 != 0) /* LD_PRELOAD stays where there are others */
        result[count++] = even;
    result[count++] = text;
    result[count] = NULL;
    return true;
}
