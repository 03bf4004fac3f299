/* commands.h: the commands of `snag`, one file each, listed in main.c. */
#ifndef SNAG_CLI_COMMANDS_H
#define SNAG_CLI_COMMANDS_H

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

extern const struct command dump_command;
extern const struct command run_command;
extern const struct command collect_command;
extern const struct command check_command;

/* One line on stderr, after the command's name ("run"; NULL: none). */
__attribute__((format(printf, 2, 3))) void complain(const char *command, const char *format, ...);

#endif
