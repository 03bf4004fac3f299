/* command.h: what all commands of `snag` have alike: their shape, their exit statuses, and how they
 * complain. Options, guesses and colours stand beside it. */
#ifndef SNAG_TOOL_COMMAND_H
#define SNAG_TOOL_COMMAND_H

/* Exit statuses of every command. */
enum status {
    STATUS_OK = 0,
    STATUS_FAILED = 1, /* or it found what it was to look for */
    STATUS_USAGE = 2
};

struct command {
    const char *name;
    const char *about; /* in one line */
    const char *help;  /* of --help: at most 24 lines of 80 columns; options begin "  -" */
    /* ARGUMENTS begin behind the command's name and end with NULL. The exit status. */
    int (*run)(char **arguments);
};

/* One line on stderr, after the command's name ("run"; NULL: none). */
__attribute__((format(printf, 2, 3))) void complain(const char *command, const char *format, ...);

#endif
