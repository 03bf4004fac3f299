/* readable.c: the readable mappings of the own process; see readable.h.
 *
 * Only for the rare thread that must make no system call. A mapping may be gone when
 * the list is used, but never the one that holds the stack of the thread that uses it. */
#include "capture/readable.h"

#include "base/target.h"

#include <stdlib.h>
#include <string.h>

static const char *parse_hex(const char *at, uint64_t *value)
{
    *value = 0;
    for (;; at++) {
        if (*at >= '0' && *at <= '9')
            *value = *value << 4 | (uint64_t)(*at - '0');
        else if (*at >= 'a' && *at <= 'f')
            *value = *value << 4 | (uint64_t)(*at - 'a' + 10);
        else
            return at;
    }
}

/* "START-END r..." */
static bool parse_line(const char *line, struct readable *range)
{
    line = parse_hex(line, &range->start);
    if (*line != '-')
        return false;
    line = parse_hex(line + 1, &range->end);
    return line[0] == ' ' && line[1] == 'r';
}

struct readable_list *readable_list_read(struct target *target)
{
    char *text;
    if (proc_read_whole(target->live_fd, "maps", &text) < 0)
        return NULL;
    size_t lines = 1;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    struct readable_list *list = malloc(sizeof *list + lines * sizeof *list->ranges);
    if (list) {
        list->count = 0;
        for (const char *at = text; at; at = strchr(at, '\n')) {
            at += *at == '\n';
            list->count += parse_line(at, &list->ranges[list->count]);
        }
    }
    free(text);
    return list;
}
