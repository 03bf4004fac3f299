/* fds_patterns.c: phrases to group descriptors by; see fds_patterns.h.
 *
 * A leak is many descriptors that are alike but for one number. Of a connection
 * that we made, the own port is that number; of one that came in, the other's. A connection came
 * in if somebody of us listens on its own port. Of files it is the name, of sockets without a
 * name the inode. */
#include "views/fds_patterns.h"

#include "base/arena.h"
#include "sources/fds.h"
#include "views/fds_text.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The ports that are listened on, a bit each. */
struct ports {
    uint64_t bits[65536 / 64];
};

static bool is(const struct descriptor *descriptor, const char *kind)
{
    return strcmp(descriptor->kind, kind) == 0;
}

/* The port of "127.0.0.1:80" and "[::1]:80"; 0 without. */
static unsigned port_of(const char *address)
{
    const char *colon = address ? strrchr(address, ':') : NULL;
    unsigned port = 0;
    for (colon = colon ? colon + 1 : ""; *colon >= '0' && *colon <= '9'; colon++)
        port = port * 10 + (unsigned)(*colon - '0');
    return port <= UINT16_MAX ? port : 0;
}

static void find_ports(const struct fd_dump *dump, struct ports *ports)
{
    for (size_t i = 0; i < dump->count; i++) {
        const struct descriptor *descriptor = &dump->descriptors[i];
        if (!is(descriptor, "tcp") || !descriptor->state ||
            strcmp(descriptor->state, "LISTEN") != 0)
            continue;
        unsigned port = port_of(descriptor->local);
        ports->bits[port / 64] |= UINT64_C(1) << port % 64;
    }
}

static bool came_in(const struct descriptor *descriptor, const struct ports *ports)
{
    unsigned port = is(descriptor, "tcp") ? port_of(descriptor->local) : 0;
    return port && ports->bits[port / 64] >> port % 64 & 1;
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

static const char *of_internet(const struct descriptor *descriptor, const struct ports *ports,
                               struct arena *arena)
{
    if (descriptor->peer && !came_in(descriptor, ports))
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

static const char *pattern_of(const struct descriptor *descriptor, const struct ports *ports,
                              struct arena *arena)
{
    static const char *const by_target[] = { "device", "fifo", "memfd", "anon", "packet", NULL };
    if (is(descriptor, "tcp") || is(descriptor, "udp") || is(descriptor, "raw"))
        return of_internet(descriptor, ports, arena);
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

const char **fd_patterns_make(const struct fd_dump *dump, struct arena *arena)
{
    const char **patterns = arena_array(arena, dump->count, sizeof *patterns);
    struct ports *ports = arena_alloc(arena, sizeof *ports);
    if (!patterns || !ports)
        return NULL;
    find_ports(dump, ports);
    for (size_t i = 0; i < dump->count; i++) {
        patterns[i] = pattern_of(&dump->descriptors[i], ports, arena);
        if (!patterns[i])
            return NULL;
    }
    return patterns;
}
