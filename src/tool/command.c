/* command.c: what a command says when something is wrong; see command.h. */
#include "tool/command.h"

#include "tool/colour.h"

#include <stdarg.h>
#include <stdio.h>

void complain(const char *command, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%ssnag%s%s:%s ", colour(stderr, COLOUR_BOLD), command ? " " : "",
            command ? command : "", colour(stderr, COLOUR_OFF));
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
