/* fds_words.c: targets in words; see fds_words.h. */
#include "sources/fds_words.h"

#include "base/arena.h"
#include "sources/fds.h"
#include "sources/fds_kinds.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The texts one after another, ended by NULL; put together by hand, as there may be thousands. */
static void join(struct descriptor *descriptor, struct arena *arena, const char *const *texts)
{
    size_t length = 0;
    for (const char *const *text = texts; *text; text++)
        length += strlen(*text);
    char *joined = arena_alloc(arena, length + 1);
    if (!joined)
        return;
    descriptor->target = joined;
    for (const char *const *text = texts; *text; text++) {
        size_t part = strlen(*text);
        memcpy(joined, *text, part);
        joined += part;
    }
}

static const char *end_of_pipe(const struct descriptor *descriptor)
{
    switch (descriptor->access) {
    case O_RDONLY: return ", read end";
    case O_WRONLY: return ", write end";
    case O_RDWR: return ", both ends";
    default: return "";
    }
}

void fd_words_make(struct descriptor *descriptor, const char *protocol, struct arena *arena)
{
    char other[48] = "";
    bool is_pipe = descriptor->kind == kind_pipe || descriptor->kind == kind_fifo;
    const char *local = descriptor->local;
    const char *peer = descriptor->peer;
    if (descriptor->other_end >= 0)
        snprintf(other, sizeof other, ", other end is fd %d", descriptor->other_end);
    if (is_pipe)
        join(descriptor, arena,
             (const char *const[]){ descriptor->target, end_of_pipe(descriptor), other, NULL });
    else if (local || peer || protocol || other[0])
        join(descriptor, arena,
             (const char *const[]){ protocol ? protocol : "", protocol ? " " : "",
                                    local  ? local
                                    : peer ? ""
                                           : descriptor->target,
                                    local && peer ? " -> "
                                    : peer        ? "-> "
                                                  : "",
                                    peer ? peer : "", other, NULL });
}
