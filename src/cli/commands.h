/* commands.h: the commands of `snag`, one file each, listed in main.c. */
#ifndef SNAG_CLI_COMMANDS_H
#define SNAG_CLI_COMMANDS_H

#include "tool/command.h"

extern const struct command dump_command;
extern const struct command run_command;
extern const struct command collect_command;
extern const struct command check_command;

#endif
