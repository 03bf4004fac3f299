/* address_file.c: the file that says where a process listens; see address_file.h.
 *
 * By system calls of our own: it may be written in a child, in a thread with a descriptor table of
 * its own, which libsnag-track must not take for the service's. */
#include "preload/address_file.h"

#include "api/write_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char path[PATH_MAX]; /* of the file that was written last ... */
static pid_t path_writer;   /* ... by this process, or one it descends from */

/* PATTERN with the process id for every %p. */
static int expand(const char *pattern, char *text, size_t size)
{
    size_t length = 0;
    while (*pattern) {
        int written;
        if (strncmp(pattern, "%p", 2) == 0) {
            written = snprintf(text + length, size - length, "%d", (int)getpid());
            pattern += 2;
        } else
            written = snprintf(text + length, size - length, "%c", *pattern++);
        length += (size_t)written;
        if (length >= size)
            return -ENAMETOOLONG;
    }
    return 0;
}

static int write_whole(const char *name, const char *text, size_t length)
{
    int fd =
        (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    struct write_guard guard;
    write_guard_begin(&guard);
    ssize_t written = syscall(SYS_write, fd, text, length);
    write_guard_end(&guard);
    int status = written == (ssize_t)length ? 0 : written < 0 ? -errno : -ENOSPC;
    syscall(SYS_close, fd);
    return status;
}

int address_file_write(const char *pattern, const char *address)
{
    char name[PATH_MAX];
    char beside[PATH_MAX + 32];
    char text[192];
    if (!pattern)
        return 0;
    int status = expand(pattern, name, sizeof name);
    if (status)
        return status;
    snprintf(beside, sizeof beside, "%s.%d.new", name, (int)getpid());
    int length = snprintf(text, sizeof text, "%s\n", address);
    status = write_whole(beside, text, (size_t)length);
    if (status == 0 && rename(beside, name) != 0)
        status = -errno;
    if (status) {
        unlink(beside);
        return status;
    }
    memcpy(path, name, sizeof path);
    path_writer = getpid();
    return 0;
}

void address_file_remove(pid_t writer)
{
    if (writer == path_writer)
        unlink(path);
}
