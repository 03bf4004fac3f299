/* write_all.h: bytes to a descriptor, all of them, however many calls it takes.
 *
 * Inline, so that libsnag has it too: a symbol of libsnag.a might be one of the program's. */
#ifndef SNAG_BASE_WRITE_ALL_H
#define SNAG_BASE_WRITE_ALL_H

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/* 0 or a negative errno; a part may have been written by then. */
static inline int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

#endif
