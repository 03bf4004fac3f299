/* fds_profile.c: a dump of descriptors as pprof samples.
 *
 * The stack of a sample is the one that opened the descriptor. Where that is not known it is
 * spelled from what the descriptor is, the most general word outermost: CLOSE_WAIT < tcp <
 * socket, so that a flame graph still says something. */
#include "views/fds_view.h"

#include "base/arena.h"
#include "profile/profile.h"
#include "sources/fds.h"
#include "views/fds_patterns.h"
#include "views/fds_text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

void fds_profile_types(struct profile *profile)
{
    profile_add_type(profile, "fds", "count");
    profile_add_type(profile, "age", "nanoseconds");
    profile_add_type(profile, "unread", "bytes");
    profile_set_period(profile, "fds", "count", 1);
}

/* Fills NAMES, innermost first; returns how many. */
static size_t spell(const struct descriptor *descriptor, const char *names[3])
{
    size_t count = 0;
    bool is_pipe = strcmp(descriptor->kind, "pipe") == 0;
    if (descriptor->state)
        names[count++] = descriptor->state;
    if (descriptor->deleted)
        names[count++] = "deleted";
    if (is_pipe && (descriptor->access == O_RDONLY || descriptor->access == O_WRONLY))
        names[count++] = descriptor->access == O_RDONLY ? "read end" : "write end";
    names[count++] = descriptor->kind;
    if (fds_is_socket(descriptor) && strcmp(descriptor->kind, "socket") != 0)
        names[count++] = "socket";
    return count;
}

static void add(struct profile *profile, const struct fd_dump *dump,
                const struct descriptor *descriptor, int sign, const char *pattern)
{
    const struct profile_label labels[] = {
        { .key = "kind", .text = descriptor->kind },
        { .key = "state", .text = descriptor->state ? descriptor->state : "" },
        { .key = "target", .text = pattern ? pattern : descriptor->target },
        { .key = "fd", .number = descriptor->fd },
    };
    const size_t label_count = pattern ? 3 : 4;
    const int64_t values[3] = { sign, sign * (int64_t)fds_age_ns(dump, descriptor),
                                sign * (int64_t)descriptor->unread };
    const char *names[3];
    if (descriptor->has_origin && descriptor->origin.frame_count > 0)
        profile_add(profile, descriptor->origin.frames, descriptor->origin.frame_count, values,
                    labels, label_count);
    else
        profile_add_named(profile, names, spell(descriptor, names), values, labels, label_count);
}

/* Without numbers those that are alike but for one number are to be one sample, so their target
 * too is what they have in common: "to 127.0.0.1:80", whatever the own port. */
void fds_profile_add(struct profile *profile, const struct fd_dump *dump, int sign,
                     bool with_numbers)
{
    struct arena arena = ARENA_INIT;
    const char **patterns = with_numbers ? NULL : fd_patterns_make(dump, &arena);
    for (size_t i = 0; i < dump->count; i++)
        add(profile, dump, &dump->descriptors[i], sign, patterns ? patterns[i] : NULL);
    arena_release(&arena);
}

void fds_profile_comments(struct profile *profile, const struct fd_dump *dump)
{
    size_t not_asked = fds_not_asked(dump);
    if (dump->limit > 0)
        profile_add_comment(profile, "%zu of %" PRIu64 " descriptors open", dump->count,
                            dump->limit);
    else
        profile_add_comment(profile, "%zu descriptors open", dump->count);
    if (!dump->tracked)
        profile_add_comment(profile, "openers are not known: libsnag-track is not in the process");
    if (dump->sockets_by)
        profile_add_comment(profile, "sockets by %s", dump->sockets_by);
    if (not_asked > 0)
        profile_add_comment(profile, "%zu paths were not asked for the type", not_asked);
    if (dump->not_looked_at > 0)
        profile_add_comment(profile, "%zu descriptors were not looked at", dump->not_looked_at);
    if (!dump->listed_all)
        profile_add_comment(profile, "the list could not be read to its end");
    if (dump->own_among_them)
        profile_add_comment(profile, "the listener's own descriptors are among them");
}
