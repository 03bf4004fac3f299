/* lines.h: what the collector says, on stderr: lines with the time before them, and on a terminal
 * a last line that shows how it stands and is written over. */
#ifndef SNAG_COLLECT_LINES_H
#define SNAG_COLLECT_LINES_H

#include <stdbool.h>
#include <stdio.h>

struct lines {
    bool is_terminal;
    bool is_shown; /* the last line */
    FILE *notes;
};

void lines_begin(struct lines *lines);

/* A line of its own: "2026-11-30T20:21:05Z ...". */
__attribute__((format(printf, 2, 3))) void line_say(struct lines *lines, const char *format, ...);

/* One that tells of nothing wrong; to stderr, unless another place was set for these. */
__attribute__((format(printf, 2, 3))) void line_note(struct lines *lines, const char *format, ...);
void lines_notes_to(struct lines *lines, FILE *file);

/* The last line; nothing where no terminal is. */
void line_progress(struct lines *lines, const char *text);

/* The last line goes. */
void lines_end(struct lines *lines);

/* "1.2 MiB" */
void line_size(unsigned long long bytes, char text[24]);

#endif
