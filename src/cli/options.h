/* options.h: the options of a command, read one by one. */
#ifndef SNAG_CLI_OPTIONS_H
#define SNAG_CLI_OPTIONS_H

#include <stdbool.h>

/* Whether the argument at *AT is NAME=VALUE, or NAME and then VALUE, which *AT is then moved to.
 * *VALUE is NULL where it is missing. */
bool option_value(char ***at, const char *name, const char **value);

/* Says "OPTIONWHAT" of COMMAND and where to read more. STATUS_USAGE. */
int option_misused(const char *command, const char *option, const char *what);

#endif
