/* log.c: a line to the service's stderr, from either descriptor table.
 *
 * In the listener's own table descriptor 2 is /dev/null, so that a service
 * which closes its stderr really lets go of it. What the listener has to say
 * goes through a short-lived copy of the service's descriptor (pidfd_getfd),
 * or is lost where the kernel refuses that: a log line is never worth more. */
#include "api/log.h"
#include "api/listener.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The service's descriptor 2, copied into the calling thread's table; -1 when refused. */
static int service_stderr(void)
{
    int process = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (process < 0)
        return -1;
    int fd = (int)syscall(SYS_pidfd_getfd, process, STDERR_FILENO, 0);
    close(process);
    return fd;
}

void log_to_stderr(const char *line, void *user)
{
    (void)user;
    char text[512];
    int length = snprintf(text, sizeof text, "snag: %.490s\n", line);
    if (length <= 0)
        return;
    int fd = listener_is_caller() ? service_stderr() : STDERR_FILENO;
    if (fd < 0)
        return;
    ssize_t written = write(fd, text, strlen(text));
    (void)written; /* nowhere left to say so */
    if (fd != STDERR_FILENO)
        close(fd);
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
