/* log.c: a line to the service's stderr.
 *
 * Never from the listener's thread, where descriptor 2 is /dev/null: what that has to say goes to a
 * service thread first (log_lines, voice.c). */
#include "api/log.h"

#include "api/write_guard.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void log_to_stderr(const char *line, void *user)
{
    (void)user;
    char text[512];
    int length = snprintf(text, sizeof text, "snag: %.490s\n", line);
    if (length <= 0)
        return;
    struct write_guard guard;
    write_guard_begin(&guard);
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    write_guard_end(&guard);
    (void)written; /* nowhere left to say so */
}

void log_lines_add(struct log_lines *lines, const char *line)
{
    size_t size = strlen(line) + 1;
    if (size > sizeof lines->text - lines->length)
        return;
    memcpy(lines->text + lines->length, line, size);
    lines->length += size;
}

void log_lines_say(const struct log_lines *lines, void (*log)(const char *line, void *user),
                   void *user)
{
    for (size_t at = 0; at < lines->length; at += strlen(lines->text + at) + 1)
        (log ? log : log_to_stderr)(lines->text + at, user);
}
