/* fds_types.c: the type of what a path names; see fds_types.h.
 *
 * stat on a dead network mount hangs for ever, so nothing is asked that might
 * need a server. fdinfo tells the mount on which the descriptor was opened (also when
 * it is hidden below another by now), mountinfo tells that mount's file system; only those on
 * the list of local ones, which keep an open file's inode in memory, are asked, and with
 * AT_STATX_DONT_SYNC. A mount that is not listed any more (umount -l) is not asked either. What a
 * container was handed from outside is on a mount that only we may see: the ids are the kernel's,
 * so our own list is asked for what the process's does not have. */
#include "sources/fds_types.h"

#include "base/arena.h"
#include "base/file_systems.h"
#include "base/target.h"
#include "sources/fds.h"
#include "sources/fds_info.h"
#include "sources/fds_kinds.h"
#include "sources/fds_place.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mount_ids {
    bool was_read;
    long *list; /* ascending */
    size_t count;
};

struct local_mounts {
    const struct fd_place *place;
    struct arena *arena;
    struct mount_ids theirs, ours;
};

static int compare_ids(const void *left, const void *right)
{
    long a = *(const long *)left;
    long b = *(const long *)right;
    return (a > b) - (a < b);
}

/* "36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw": the id, and behind the
 * separator the file system. Spaces in names are escaped there. */
static void take_line(struct mount_ids *ids, const char *line, const char *end)
{
    const char *separator = memmem(line, (size_t)(end - line), " - ", 3);
    if (!separator)
        return;
    const char *name = separator + 3;
    const char *behind = memchr(name, ' ', (size_t)(end - name));
    const char *id = line;
    if (behind && file_system_is_local(name, (size_t)(behind - name)))
        ids->list[ids->count++] = (long)fd_info_number(&id, 10);
}

static void read_mounts(struct local_mounts *mounts, const char *file, struct mount_ids *ids)
{
    char *text;
    ids->was_read = true;
    if (proc_read_whole(mounts->place->task, file, &text) < 0)
        return;
    ids->list = arena_array(mounts->arena, fd_info_lines(text, ""), sizeof *ids->list);
    const char *end;
    for (const char *line = text; ids->list && (end = strchr(line, '\n')); line = end + 1)
        take_line(ids, line, end);
    free(text);
    if (ids->count > 1)
        qsort(ids->list, ids->count, sizeof *ids->list, compare_ids);
}

static bool holds(const struct mount_ids *ids, long id)
{
    return ids->count > 0 && bsearch(&id, ids->list, ids->count, sizeof *ids->list, compare_ids);
}

struct local_mounts *local_mounts_new(struct arena *arena, const struct fd_place *place)
{
    struct local_mounts *mounts = arena_alloc(arena, sizeof *mounts);
    if (mounts)
        *mounts = (struct local_mounts){ .place = place, .arena = arena };
    return mounts;
}

static bool may_be_asked(struct local_mounts *mounts, long id)
{
    if (!mounts->theirs.was_read)
        read_mounts(mounts, "mountinfo", &mounts->theirs);
    if (holds(&mounts->theirs, id))
        return true;
    if (!mounts->ours.was_read)
        read_mounts(mounts, "/proc/thread-self/mountinfo", &mounts->ours);
    return holds(&mounts->ours, id);
}

static const char *kind_of_mode(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return kind_file;
    case S_IFDIR: return kind_directory;
    case S_IFIFO: return kind_fifo;
    case S_IFCHR:
    case S_IFBLK: return kind_device;
    default: return NULL; /* an O_PATH descriptor of a symbolic link, of a socket's name */
    }
}

/* The number may lead elsewhere by now. Some file systems tell another inode here than there. */
static bool is_still_there(const struct descriptor *descriptor, int directory, const char *name)
{
    char link[PATH_MAX];
    size_t length = strlen(descriptor->target);
    return readlinkat(directory, name, link, sizeof link) == (ssize_t)length &&
           memcmp(link, descriptor->target, length) == 0;
}

void fd_type_find(struct descriptor *descriptor, const struct fd_info *info,
                  struct local_mounts *mounts)
{
    char name[16];
    struct statx status;
    int directory = mounts->place->fd;
    /* O_TMPFILE, which makes a file, holds the bit of O_DIRECTORY. */
    if (info->flags >= 0 && (info->flags & O_TMPFILE) == O_DIRECTORY) {
        descriptor->kind = kind_directory;
        descriptor->kind_is_sure = true;
        return;
    }
    if (!may_be_asked(mounts, info->mount))
        return;
    snprintf(name, sizeof name, "%d", descriptor->fd);
    if (statx(directory, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO,
              &status) != 0 ||
        (status.stx_ino != info->inode && !is_still_there(descriptor, directory, name)))
        return;
    const char *kind = kind_of_mode(status.stx_mode);
    descriptor->kind = kind ? kind : kind_file;
    descriptor->kind_is_sure = true;
}

void fd_type_copy(struct descriptor *descriptor, const struct descriptor *other)
{
    descriptor->kind = other->kind;
    descriptor->kind_is_sure = other->kind_is_sure;
}
