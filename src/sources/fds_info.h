/* fds_info.h: /proc/PID/fdinfo/FD, the part that all kinds have and the rest as it is. */
#ifndef SNAG_SOURCES_FDS_INFO_H
#define SNAG_SOURCES_FDS_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One buffer for all that are read one after another. */
struct fd_info_buffer {
    char *text;
    size_t size;
};

struct fd_info {
    int flags;        /* -1: not told */
    int64_t position; /* -1: not told */
    long mount;       /* of /proc/PID/mountinfo; -1: not told */
    uint64_t inode;   /* 0: not told (before Linux 5.14) */
    const char *rest; /* the lines that only this kind has; in the buffer, until the next read */
};

/* Reads FD's file below DIRECTORY. 0 or a negative errno. */
int fd_info_read(struct fd_info_buffer *buffer, int directory, int fd, struct fd_info *info);
void fd_info_free(struct fd_info_buffer *buffer);

/* The text behind "KEY:" and white space on a line of its own in TEXT, up to its end; NULL. */
const char *fd_info_value(const char *text, const char *key);

/* How many lines of TEXT begin with PREFIX. */
size_t fd_info_lines(const char *text, const char *prefix);

/* The number at *TEXT in BASE (8, 10 or 16), and *TEXT moved behind it. */
uint64_t fd_info_number(const char **text, unsigned base);

#endif
