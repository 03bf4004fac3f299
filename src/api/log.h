/* log.h: the few lines snag has to say. */
#ifndef SNAG_API_LOG_H
#define SNAG_API_LOG_H

#include <stddef.h>

/* Writes "snag: LINE" to stderr in one piece. USER is not used: the signature is that of
 * snag_options.log. */
void log_to_stderr(const char *line, void *user);

/* Lines to be said later, when no lock is held. A line for which there is no
 * room is lost. */
struct log_lines {
    size_t length;
    char text[1024]; /* each line ends with a 0 */
};

void log_lines_add(struct log_lines *lines, const char *line);

/* Hands each to LOG, NULL: log_to_stderr. */
void log_lines_say(const struct log_lines *lines, void (*log)(const char *line, void *user),
                   void *user);

#endif
