/* colour.h: colours for a terminal, and nothing for a pipe or a file.
 *
 *     fprintf(to, "%s%s%s: ...", colour(to, COLOUR_BOLD), name, colour(to, COLOUR_OFF));
 *
 * The text is the same with and without: no fact is told by a colour alone. */
#ifndef SNAG_TOOL_COLOUR_H
#define SNAG_TOOL_COLOUR_H

#include <stdio.h>

enum colour {
    COLOUR_OFF,
    COLOUR_BOLD,    /* what is looked for first: a place, a count, a name */
    COLOUR_ERROR,   /* red: what can never go on */
    COLOUR_WARNING, /* magenta, as of gcc and clang */
    COLOUR_NOTE,    /* cyan: what belongs to the line before */
    COLOURS
};

/* The sequence that switches it on (or all off), or "" where STREAM is to be plain. Valid for good.
 */
const char *colour(FILE *stream, enum colour which);

#endif
