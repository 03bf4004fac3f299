/* maps.c: /proc/PID/maps, a line at a time; see maps.h and proc_pid_maps(5).
 *
 *     7f1200000000-7f1200021000 r-xp 00001000 fe:01 1234   /usr/lib/libfoo.so
 *
 * A service with ten thousand threads has twenty thousand lines here, nearly
 * all of them stacks, so the numbers are read by hand and nothing is copied. */
#include "base/maps.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

static uint64_t read_hex(const char **text)
{
    uint64_t value = 0;
    for (;; (*text)++) {
        char c = **text;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return value;
    }
}

static uint64_t read_decimal(const char **text)
{
    uint64_t value = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++)
        value = value * 10 + (uint64_t)(**text - '0');
    return value;
}

static bool skip(const char **text, char expected)
{
    if (**text != expected)
        return false;
    (*text)++;
    return true;
}

static bool parse_line(const char *at, const char *end, struct map_line *line)
{
    line->start = read_hex(&at);
    if (!skip(&at, '-'))
        return false;
    line->end = read_hex(&at);
    if (!skip(&at, ' ') || end - at < 5)
        return false;
    line->readable = at[0] == 'r';
    line->writable = at[1] == 'w';
    line->executable = at[2] == 'x';
    at += 4;
    if (!skip(&at, ' '))
        return false;
    line->offset = read_hex(&at);
    if (!skip(&at, ' '))
        return false;
    uint64_t major = read_hex(&at);
    if (!skip(&at, ':'))
        return false;
    uint64_t minor = read_hex(&at);
    line->device = makedev((unsigned)major, (unsigned)minor);
    if (!skip(&at, ' '))
        return false;
    line->inode = read_decimal(&at);
    while (at < end && *at == ' ')
        at++;
    line->path = at;
    line->path_length = (size_t)(end - at);
    return line->start < line->end;
}

bool map_line_next(const char **text, struct map_line *line)
{
    while (**text) {
        const char *at = *text;
        const char *end = strchr(at, '\n');
        if (!end)
            end = at + strlen(at);
        *text = *end ? end + 1 : end;
        if (parse_line(at, end, line))
            return true;
    }
    return false;
}

int map_query(int fd, struct map_query *query)
{
    query->size = sizeof *query;
    return ioctl(fd, _IOWR('f', 17, struct map_query), query) == 0 ? 0 : -errno;
}
