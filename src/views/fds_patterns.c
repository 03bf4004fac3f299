/* fds_patterns.c: phrases to group descriptors by; see fds_patterns.h.
 *
 * A leak is many descriptors that are alike but for one number. Of a connection
 * that we made, the own port is that number; of one that came in, the other's. Of files it is the
 * name, of sockets without a name the inode. */
#include "views/fds_patterns.h"

#include "base/arena.h"
#include "base/hash_index.h"
#include "sources/fds.h"
#include "views/fds_text.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is(const struct descriptor *descriptor, const char *kind)
{
    return strcmp(descriptor->kind, kind) == 0;
}

static const char *join(struct arena *arena, const char *before, const char *text, size_t length)
{
    size_t first = strlen(before);
    char *joined = arena_alloc(arena, first + length + 1);
    if (!joined)
        return NULL;
    memcpy(joined, before, first);
    memcpy(joined + first, text, length);
    return joined;
}

static const char *phrase(struct arena *arena, const char *before, const char *text)
{
    return join(arena, before, text, strlen(text));
}

static const char *of_internet(const struct descriptor *descriptor, struct arena *arena)
{
    if (descriptor->peer && !descriptor->accepted)
        return phrase(arena, "to ", descriptor->peer);
    return descriptor->local ? phrase(arena, "on ", descriptor->local) : "not bound";
}

static const char *of_unix(const struct descriptor *descriptor, struct arena *arena)
{
    if (descriptor->local)
        return phrase(arena, "on ", descriptor->local);
    if (descriptor->peer)
        return phrase(arena, "to ", descriptor->peer);
    return descriptor->other_end >= 0 ? "of pairs within the process" : "without a name";
}

/* The directory it is in; of a deleted one that is said as well. */
static const char *of_path(const struct descriptor *descriptor, struct arena *arena)
{
    const char *slash = strrchr(descriptor->target, '/');
    size_t length = slash && slash > descriptor->target ? (size_t)(slash - descriptor->target) : 1;
    return join(arena, descriptor->deleted ? "deleted from " : "in ", descriptor->target, length);
}

static const char *of_pipe(const struct descriptor *descriptor)
{
    switch (descriptor->access) {
    case O_RDONLY: return descriptor->other_end >= 0 ? "read ends" : "read ends alone";
    case O_WRONLY: return descriptor->other_end >= 0 ? "write ends" : "write ends alone";
    default: return "";
    }
}

/* The text up to its first colon: "net" of "net:[4026531840]". */
static const char *before_colon(const char *text, struct arena *arena)
{
    return join(arena, "", text, strcspn(text, ":"));
}

static const char *pattern_of(const struct descriptor *descriptor, struct arena *arena)
{
    static const char *const by_target[] = { "device", "fifo", "memfd", "anon", "packet", NULL };
    if (is(descriptor, "tcp") || is(descriptor, "udp") || is(descriptor, "raw"))
        return of_internet(descriptor, arena);
    if (is(descriptor, "unix"))
        return of_unix(descriptor, arena);
    if (is(descriptor, "file") || is(descriptor, "directory"))
        return of_path(descriptor, arena);
    if (is(descriptor, "pipe"))
        return of_pipe(descriptor);
    if (is(descriptor, "netlink") && descriptor->local)
        return before_colon(descriptor->local, arena);
    if (is(descriptor, "namespace") || is(descriptor, "socket"))
        return before_colon(descriptor->target, arena);
    for (const char *const *kind = by_target; *kind; kind++)
        if (is(descriptor, *kind))
            return descriptor->target;
    return "";
}

static bool text_equal(const void *within, uint32_t entry, const void *key)
{
    return strcmp(((const char *const *)within)[entry], key) == 0;
}

const char **fd_patterns_make(const struct fd_dump *dump, struct arena *arena)
{
    const char **patterns = arena_array(arena, dump->count, sizeof *patterns);
    struct hash_index index = { 0 };
    for (size_t i = 0; patterns && i < dump->count; i++) {
        const char *pattern = pattern_of(&dump->descriptors[i], arena);
        uint64_t hash = pattern ? hash_bytes(0, pattern, strlen(pattern)) : 0;
        if (!pattern)
            return NULL;
        uint32_t first = hash_index_find(&index, hash, text_equal, patterns, pattern);
        patterns[i] = first == HASH_NONE ? pattern : patterns[first];
        if (first == HASH_NONE && !hash_index_insert(&index, arena, hash, (uint32_t)i))
            return NULL;
    }
    return patterns;
}
