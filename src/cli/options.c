/* options.c: the options of a command; see options.h. */
#include "cli/options.h"

#include "cli/commands.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

bool option_value(char ***at, const char *name, const char **value)
{
    size_t length = strlen(name);
    if (strncmp(**at, name, length) != 0)
        return false;
    if ((**at)[length] == '=')
        *value = **at + length + 1;
    else if ((**at)[length] == 0)
        *value = (*at)[1] ? *++*at : NULL;
    else
        return false;
    return true;
}

int option_misused(const char *command, const char *option, const char *what)
{
    complain(command, "%s%s", option, what);
    fprintf(stderr, "snag %s --help says how.\n", command);
    return STATUS_USAGE;
}
