/* options.h: the options of a command, read one by one. */
#ifndef SNAG_TOOL_OPTIONS_H
#define SNAG_TOOL_OPTIONS_H

#include "tool/command.h"

#include <stdbool.h>

/* Whether the argument at *AT is NAME=VALUE, or NAME and then VALUE, which *AT is then moved to.
 * *VALUE is NULL where it is missing. */
bool option_value(char ***at, const char *name, const char **value);

/* Says "OPTIONWHAT" of COMMAND and where to read more. STATUS_USAGE. */
int option_misused(const char *command, const char *option, const char *what);

/* Says that COMMAND has no such OPTION, and which of those in its help may be meant.
 * STATUS_USAGE. */
int option_unknown(const struct command *command, const char *option);

#endif
