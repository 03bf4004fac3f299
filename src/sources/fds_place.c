/* fds_place.c: through which thread descriptors are seen; see fds_place.h.
 *
 * The leader's table is the service's: the listener has one of its own. A leader that has
 * exited while others go on has none any more, and another thread's is looked at. */
#include "sources/fds_place.h"

#include "base/target.h"
#include "sources/fds_numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_directory(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_thread(int list, pid_t tid)
{
    char name[16];
    snprintf(name, sizeof name, "%d", (int)tid);
    return open_directory(list, name);
}

/* A thread that has exited but is not gone yet (as a leader while others go on) has no
 * descriptors. The state is the word behind the name, which may hold anything. */
static bool lives(int task)
{
    char text[512];
    if (proc_read(task, "stat", text, sizeof text) <= 0)
        return false;
    const char *end = strrchr(text, ')');
    char state = end && end[1] ? end[2] : 'X';
    return state != 'Z' && state != 'X';
}

static bool is_named_snag(int task)
{
    char name[32];
    return proc_read(task, "comm", name, sizeof name) > 0 && strcmp(name, "snag\n") == 0;
}

/* A living thread other than the leader and the one that looks. In another process that has a
 * listener too, that one's table is its own: it is taken only when there is no other. -1 when
 * there is none. */
static int open_other_thread(struct target *target)
{
    struct numbers tids;
    int list = open_directory(target->proc_fd, "task");
    int found = -1;
    bool settled = false;
    if (list < 0)
        return -1;
    numbers_begin(&tids, list);
    while (!settled && numbers_next(&tids)) {
        pid_t tid = tids.last;
        int task = tid != target->pid && !target_is_own(target, tid) ? open_thread(list, tid) : -1;
        if (task < 0)
            continue;
        settled = lives(task) && !is_named_snag(task);
        if (settled || (found < 0 && lives(task))) {
            if (found >= 0)
                close(found);
            found = task;
        } else {
            close(task);
        }
    }
    close(list);
    return found;
}

/* A descriptor of ours shows the same link through PLACE only if the table is the same; or if the
 * service has opened this very directory under this very number, and then it is safe to
 * think that the table is shared. */
static bool is_our_table(const struct fd_place *place, const struct target *target)
{
    char name[32];
    char ours[64];
    char link[64];
    snprintf(name, sizeof name, "fd/%d", place->fd);
    ssize_t length = readlinkat(target->live_fd, name, ours, sizeof ours); /* our thread's */
    if (length <= 0)
        return false;
    snprintf(name, sizeof name, "%d", place->fd);
    return readlinkat(place->fd, name, link, sizeof link) == length &&
           memcmp(ours, link, (size_t)length) == 0;
}

int fd_place_open(struct fd_place *place, struct target *target)
{
    *place = (struct fd_place){ .task = target->proc_fd, .owned = -1, .fd = -1, .fdinfo = -1 };
    if (!lives(target->proc_fd)) {
        place->owned = open_other_thread(target);
        if (place->owned >= 0)
            place->task = place->owned;
    }
    place->fd = open_directory(place->task, "fd");
    if (place->fd < 0) {
        int error = -errno;
        fd_place_close(place);
        return error;
    }
    place->fdinfo = open_directory(place->task, "fdinfo");
    place->is_ours = target->self && is_our_table(place, target);
    return 0;
}

void fd_place_close(struct fd_place *place)
{
    if (place->fdinfo >= 0)
        close(place->fdinfo);
    if (place->fd >= 0)
        close(place->fd);
    if (place->owned >= 0)
        close(place->owned);
    *place = (struct fd_place){ .task = -1, .owned = -1, .fd = -1, .fdinfo = -1 };
}

/* Since Linux 6.2 the size of the directory is the number of its entries; 0 before. */
static size_t told_count(const struct fd_place *place)
{
    struct stat status;
    return fstat(place->fd, &status) == 0 && status.st_size > 0 ? (size_t)status.st_size : 0;
}

size_t fd_place_size(const struct fd_place *place)
{
    size_t count = told_count(place);
    return count > 0 ? count + 16 : 256;
}

long fd_place_count(const struct fd_place *place)
{
    struct numbers numbers;
    long count = (long)told_count(place);
    if (count > 0)
        return count;
    numbers_begin(&numbers, place->fd);
    while (numbers_next(&numbers))
        count++;
    return numbers.error ? numbers.error : count;
}

uint64_t fd_place_limit(const struct fd_place *place)
{
    static const char name[] = "Max open files";
    char text[4096];
    if (proc_read(place->task, "limits", text, sizeof text) <= 0)
        return 0;
    const char *line = strstr(text, name);
    if (!line)
        return 0;
    uint64_t limit = 0;
    for (line += sizeof name - 1; *line == ' '; line++)
        continue;
    for (; *line >= '0' && *line <= '9'; line++)
        limit = limit * 10 + (uint64_t)(*line - '0');
    return limit; /* "unlimited" is 0 */
}
