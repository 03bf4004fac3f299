/* options.c: the options of a command; see options.h. */
#include "tool/options.h"

#include "tool/guess.h"

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

/* Every option that HELP describes, which is on lines that begin with two spaces and a dash:
 * "  -o, --output FILE  where to". */
static void offer_options(struct guess *guess, const char *help)
{
    for (const char *line = help; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "  -", 3) != 0)
            continue;
        for (const char *word = line + 2; *word == '-';) {
            size_t length = strcspn(word, " ,=[\n");
            guess_offer(guess, word, length);
            word += length;
            word += strncmp(word, ", ", 2) == 0 ? 2 : 0;
        }
    }
}

int option_unknown(const struct command *command, const char *option)
{
    struct guess guess;
    char what[128] = " is no option of it";
    guess_begin(&guess, option);
    offer_options(&guess, command->help);
    if (guess.best)
        snprintf(what, sizeof what, " is no option of it; did you mean %.*s?",
                 (int)guess.best_length, guess.best);
    return option_misused(command->name, option, what);
}
