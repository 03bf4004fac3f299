/* proc_file.c: files of procfs, which have no size before they are read; see proc_file.h. */
#include "base/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t proc_read(int directory_fd, const char *path, char *text, size_t size)
{
    text[0] = 0;
    int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t length = 0;
    ssize_t got = 0;
    while (length < size - 1) {
        got = read(fd, text + length, size - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    int error = got < 0 ? -errno : 0;
    close(fd);
    text[length] = 0;
    return error ? error : (ssize_t)length;
}

ssize_t proc_read_again(int fd, char **text)
{
    size_t length = 0;
    size_t capacity = 0;
    int error = 0;
    *text = NULL;
    if (lseek(fd, 0, SEEK_SET) != 0)
        return -errno;
    for (;;) {
        if (capacity - length < 4097) {
            capacity = capacity ? capacity * 2 : 32768;
            char *grown = realloc(*text, capacity);
            if (!grown) {
                error = -ENOMEM;
                break;
            }
            *text = grown;
        }
        ssize_t got = read(fd, *text + length, capacity - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            error = -errno;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    if (error) {
        free(*text);
        *text = NULL;
        return error;
    }
    (*text)[length] = 0;
    return (ssize_t)length;
}

ssize_t proc_read_whole(int directory_fd, const char *path, char **text)
{
    *text = NULL;
    int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = proc_read_again(fd, text);
    close(fd);
    return length;
}
