/* preload.c: the listener, in a program that knows nothing of it.
 *
 * libsnag-preload is what `snag run` has the loader put into a program
 * (LD_PRELOAD). Its constructor starts the listener, if `snag run` asks for it
 * by SNAG_PRELOAD, or gets ready for the leak check (SNAG_LEAKCHECK), and takes the variables out
 * of the environment, so that what the program starts is left alone; unless it was asked to be in
 * those as well. */
#include "preload/leakcheck.h"

#include <snag/snag.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OURS "libsnag-"

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

/* What follows NAME= in ENTRY of the environment, or NULL. */
static char *value_of(char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

/* By hand: a program may have a setenv and an unsetenv of its own, as bash
 * has, which do not do this before it has begun. */
static void leave_environment(void)
{
    char **to = environ;
    for (char **from = environ; *from; from++) {
        char *list = value_of(*from, "LD_PRELOAD");
        if (list)
            leave_list(list);
        if ((!list || *list) && !value_of(*from, "SNAG_PRELOAD") &&
            !value_of(*from, "SNAG_LEAKCHECK"))
            *to++ = *from;
    }
    *to = NULL;
}

/* A failure was said by snag_start; the program goes on. */
static void start(void)
{
    if (snag_start(NULL) == 0 && snag_address())
        fprintf(stderr, "snag: %s (pid %d) listens on %s\n", program_invocation_short_name,
                (int)getpid(), snag_address());
}

__attribute__((constructor)) static void begin(void)
{
    const char *wish = getenv("SNAG_PRELOAD");
    if (!wish)
        return;
    bool checks = getenv("SNAG_LEAKCHECK") != NULL;
    if (checks)
        leakcheck_begin();
    if (strcmp(wish, "children") != 0)
        leave_environment();
    if (!checks)
        start();
}
