/* colour.c: colours for a terminal; see colour.h.
 *
 * A stream is coloured when it is a terminal that is not "dumb", unless NO_COLOR is set to anything
 * (no-color.org). CLICOLOR_FORCE colours a pipe, too, as for `less -R`; NO_COLOR wins. */
#include "tool/colour.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

static bool is_coloured(FILE *stream)
{
    const char *terminal = getenv("TERM");
    const char *force = getenv("CLICOLOR_FORCE");
    if (is_set("NO_COLOR"))
        return false;
    if (force && *force && strcmp(force, "0") != 0)
        return true;
    return terminal && *terminal && strcmp(terminal, "dumb") != 0 && isatty(fileno(stream));
}

const char *colour(FILE *stream, enum colour which)
{
    static const char *const sequences[COLOURS] = { "\33[0m", "\33[1m", "\33[1;31m", "\33[1;35m",
                                                    "\33[1;36m" };
    return is_coloured(stream) ? sequences[which] : "";
}
