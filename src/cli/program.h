/* program.h: what a command line would run. */
#ifndef SNAG_CLI_PROGRAM_H
#define SNAG_CLI_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct program {
    char path[PATH_MAX];
    /* Of a script that names its interpreter by env(1): the interpreter, run as env would. */
    char interpreter[NAME_MAX + 1];
    char script[PATH_MAX];
    bool by_env;
};

/* Finds what NAME runs, along PATH as a shell does. False, with one line in WHY, when there is
 * nothing to run or the loader would not preload anything into it. */
bool program_find(const char *name, struct program *program, char *why, size_t size);

#endif
