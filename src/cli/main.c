/* main.c: the command `snag`; see commands.h.
 *
 * Results go to stdout and everything else to stderr. */
#include "cli/commands.h"

#include <snag/snag.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = { &dump_command, &run_command, &check_command };

#define COUNT (sizeof commands / sizeof *commands)

void complain(const char *command, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "snag%s%s: ", command ? " " : "", command ? command : "");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void help(FILE *to)
{
    fprintf(to, "Usage: snag COMMAND [ARGUMENT...]\n\n");
    for (size_t i = 0; i < COUNT; i++)
        fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->about);
    fprintf(to, "\nsnag COMMAND --help says more. Exit status: 0 well, 1 failed, 2 misused.\n");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        help(stdout);
        return STATUS_OK;
    }
    if (strcmp(name, "--version") == 0) {
        printf("snag %s\n", SNAG_VERSION);
        return STATUS_OK;
    }
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i]->run(argv + 2);
    if (*name)
        complain(NULL, "there is no command '%s'", name);
    help(stderr);
    return STATUS_USAGE;
}
