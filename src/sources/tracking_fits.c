/* tracking_fits.c: whether a call can have made what a descriptor leads to.
 *
 * The tables know what was opened and closed through the C library's calls. A
 * number that is closed and opened again by raw system calls, or inside the C
 * library, keeps its former opener there. The kinds differ in most such
 * cases (a resolver's socket where a file was); where they do not, nothing
 * tells. The words are the kernel's: fs/anon_inodes.c and their users. */
#include "sources/tracking.h"

#include "track/calls.h"

#include <string.h>

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_anonymous(const char *link, const char *name)
{
    static const char anonymous[] = "anon_inode:";
    if (!begins(link, anonymous))
        return false;
    link += strlen(anonymous);
    return begins(link, name) || (link[0] == '[' && begins(link + 1, name));
}

static enum track_makes makes_of(const char *call)
{
#define TRACK_CALL_ROW(name, makes) { #name, makes },
    static const struct {
        const char *name;
        enum track_makes makes;
    } rows[] = { TRACK_CALLS(TRACK_CALL_ROW) };
#undef TRACK_CALL_ROW
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, call) == 0)
            return rows[i].makes;
    return MAKES_ANY;
}

bool tracking_fits(const struct origin *origin, const char *link)
{
    switch (makes_of(origin->call)) {
    case MAKES_FILE: return !begins(link, "socket:") && !begins(link, "anon_inode:");
    case MAKES_SOCKET: return begins(link, "socket:");
    case MAKES_PIPE: return begins(link, "pipe:");
    case MAKES_EVENT: return is_anonymous(link, "eventfd");
    case MAKES_TIMER: return is_anonymous(link, "timerfd");
    case MAKES_SIGNAL: return is_anonymous(link, "signalfd");
    case MAKES_INOTIFY: return is_anonymous(link, "inotify");
    case MAKES_FANOTIFY: return is_anonymous(link, "fanotify");
    case MAKES_EPOLL: return is_anonymous(link, "eventpoll");
    case MAKES_MEMORY: return begins(link, "/memfd:");
    case MAKES_PROCESS: return begins(link, "pidfd:") || is_anonymous(link, "pidfd");
    case MAKES_ANY: return true;
    default: return false;
    }
}
