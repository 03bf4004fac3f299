/* preload.c: the listener, in a program that knows nothing of it.
 *
 * libsnag-preload is what `snag run` has the loader put into a program
 * (LD_PRELOAD). Its constructor starts the listener, if `snag run` asks for it
 * by SNAG_PRELOAD, and takes both variables out of the environment, so that
 * what the program starts is left alone; unless it was asked to be in those as well. */
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

/* What is left of the list TEXT without our libraries; NULL without memory. */
static char *without_ours(const char *text)
{
    static const char separators[] = ": ";
    char *rest = malloc(strlen(text) + 1);
    size_t length = 0;
    while (rest && *text) {
        size_t part = strcspn(text, separators);
        if (part > 0 && !is_ours(text, text + part)) {
            if (length > 0)
                rest[length++] = ':';
            memcpy(rest + length, text, part);
            length += part;
        }
        text += part + strspn(text + part, separators);
    }
    if (rest)
        rest[length] = 0;
    return rest;
}

static void leave_environment(void)
{
    const char *list = getenv("LD_PRELOAD");
    char *rest = list ? without_ours(list) : NULL;
    if (rest && *rest)
        setenv("LD_PRELOAD", rest, 1);
    else if (list && rest)
        unsetenv("LD_PRELOAD");
    free(rest);
    unsetenv("SNAG_PRELOAD");
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
    if (strcmp(wish, "children") != 0)
        leave_environment();
    start();
}
