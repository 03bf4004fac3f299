/* main.c: the command `snag`; see commands.h.
 *
 * Results go to stdout and everything else to stderr. What did not get out (a full disk) is a
 * failure of every command, found when stdout is closed; a reader that has gone is its own
 * affair. */
#include "cli/commands.h"
#include "tool/colour.h"
#include "tool/guess.h"

#include <snag/snag.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = { &dump_command, &run_command, &collect_command,
                                                  &check_command };

#define COUNT (sizeof commands / sizeof *commands)

static void help(FILE *to)
{
    fputs("Usage: snag COMMAND [OPTION...] [ARGUMENT...]\n"
          "\n"
          "Where the threads, descriptors and handles of a C or C++ service are stuck,\n"
          "without stopping it.\n"
          "\n",
          to);
    for (size_t i = 0; i < COUNT; i++)
        fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->about);
    fputs("\n"
          "  help [COMMAND]   the same as COMMAND --help\n"
          "  --version        which snag this is\n"
          "\n"
          "man snag, and man snag-COMMAND, say all of it.\n"
          "Exit status: 0 well, 1 found something or failed, 2 misused.\n",
          to);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    static const char *const others[] = { "help", "--help", "--version" };
    struct guess guess;
    guess_begin(&guess, name);
    for (size_t i = 0; i < COUNT; i++)
        guess_offer(&guess, commands[i]->name, strlen(commands[i]->name));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        guess_offer(&guess, others[i], strlen(others[i]));
    const char *what = *name == '-' ? "option" : "command";
    if (guess.best)
        complain(NULL, "there is no %s '%s'; did you mean '%s'?", what, name, guess.best);
    else
        complain(NULL, "there is no %s '%s'; snag --help says which there are", what, name);
    return STATUS_USAGE;
}

/* `snag help` [NAME]; NAME is NULL for none. */
static int help_of(const char *name)
{
    const struct command *command = name ? find(name) : NULL;
    if (name && !command && strcmp(name, "help") != 0 && strcmp(name, "--help") != 0)
        return unknown(name);
    if (command)
        fputs(command->help, stdout);
    else
        help(stdout);
    return STATUS_OK;
}

static int run(const char *name, char **arguments)
{
    const struct command *command = find(name);
    if (command)
        return command->run(arguments);
    if (strcmp(name, "help") == 0)
        return help_of(arguments[0]);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help_of(NULL);
    if (strcmp(name, "--version") != 0)
        return unknown(name);
    printf("snag %s\n", SNAG_VERSION);
    return STATUS_OK;
}

/* What is opened later must not get the number of a closed stream: lines for a person would go into
 * a profile or a socket. Whoever writes there now gets EBADF; a program that is run finds them
 * closed as they were. */
static void occupy_closed_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

/* STATUS, unless the output was lost. */
static int finish(const char *name, int status)
{
    bool failed_before = ferror(stdout);
    errno = 0;
    if (fclose(stdout) == 0 && !failed_before)
        return status;
    if (errno != EPIPE)
        complain(find(name) ? name : NULL, "cannot write the output%s%s", errno ? ": " : "",
                 errno ? strerror(errno) : "");
    return status == STATUS_OK ? STATUS_FAILED : status;
}

int main(int argc, char **argv)
{
    occupy_closed_streams();
    if (argc < 2) {
        help(stderr);
        return STATUS_USAGE;
    }
    return finish(argv[1], run(argv[1], argv + 2));
}
