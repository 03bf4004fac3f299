/* fds_info.c: reading and taking apart fdinfo; see fds_info.h and proc_pid_fdinfo(5).
 *
 * "pos", "flags", "mnt_id" and "ino" come first, one line each, in every file; what a kind adds
 * stands below them. An epoll that watches 10,000 descriptors has a line for each, so
 * the buffer grows to what is there. */
#include "sources/fds_info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_SIZE 4096u
#define LAST_SIZE ((size_t)64 << 20)

void fd_info_free(struct fd_info_buffer *buffer)
{
    free(buffer->text);
    *buffer = (struct fd_info_buffer){ 0 };
}

static bool grow(struct fd_info_buffer *buffer)
{
    size_t size = buffer->size ? buffer->size * 2 : FIRST_SIZE;
    char *grown = size <= LAST_SIZE ? realloc(buffer->text, size) : NULL;
    if (!grown)
        return false;
    buffer->text = grown;
    buffer->size = size;
    return true;
}

static int read_all(struct fd_info_buffer *buffer, int file)
{
    size_t length = 0;
    for (;;) {
        if (buffer->size - length < 2 && !grow(buffer))
            return -ENOMEM;
        ssize_t got = read(file, buffer->text + length, buffer->size - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        length += (size_t)got;
        buffer->text[length] = 0;
        if (got == 0)
            return 0;
    }
}

uint64_t fd_info_number(const char **text, unsigned base)
{
    uint64_t number = 0;
    for (;; (*text)++) {
        char c = **text;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 99;
        if (digit >= base)
            return number;
        number = number * base + digit;
    }
}

const char *fd_info_value(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; *line;) {
        if (strncmp(line, key, length) == 0 && line[length] == ':') {
            for (line += length + 1; *line == ' ' || *line == '\t'; line++)
                continue;
            return line;
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return NULL;
}

size_t fd_info_lines(const char *text, const char *prefix)
{
    size_t count = 0;
    size_t length = strlen(prefix);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        count += strncmp(line, prefix, length) == 0;
    }
    return count;
}

static void parse(const char *text, struct fd_info *info)
{
    *info = (struct fd_info){ .flags = -1, .position = -1, .mount = -1, .rest = text };
    for (;;) {
        const char *line = info->rest;
        const char *value = strchr(line, '\t');
        if (!value)
            return;
        value++;
        if (strncmp(line, "pos:", 4) == 0)
            info->position = (int64_t)fd_info_number(&value, 10);
        else if (strncmp(line, "flags:", 6) == 0)
            info->flags = (int)fd_info_number(&value, 8);
        else if (strncmp(line, "mnt_id:", 7) == 0)
            info->mount = (long)fd_info_number(&value, 10);
        else if (strncmp(line, "ino:", 4) == 0)
            info->inode = fd_info_number(&value, 10);
        else
            return;
        info->rest = value + (*value == '\n');
    }
}

int fd_info_read(struct fd_info_buffer *buffer, int directory, int fd, struct fd_info *info)
{
    char name[16];
    snprintf(name, sizeof name, "%d", fd);
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    int error = read_all(buffer, file);
    close(file);
    if (!error)
        parse(buffer->text, info);
    return error;
}
