/* retention.c: what is too old, or too much, goes; see retention.h.
 *
 * Every sweep looks at the disk anew: files of another collector, or that somebody removed by
 * hand, count as what they are. There may be millions: so one walk notes a time and a size of each,
 * from which follows up to when all must go; a second walk removes those. */
#include "collect/retention.h"

#include "collect/store.h"
#include "collect/stored_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a half file: whoever wrote it is gone. */
#define HALF_AGE 600

struct file {
    time_t time;
    uint64_t bytes;
};

struct sweep {
    struct retention *retention;
    time_t now;
    /* The first walk's. */
    struct file *files;
    size_t count;
    size_t room;
    /* The second's: what is older than these goes, and of that very second so many bytes. */
    bool removes;
    time_t oldest;
    time_t fits;
    uint64_t excess;
    int error;
};

static void note(struct sweep *sweep, const struct file *file)
{
    if (sweep->count == sweep->room) {
        size_t room = sweep->room ? 2 * sweep->room : 1024;
        struct file *more = realloc(sweep->files, room * sizeof *more);
        if (!more) {
            sweep->error = -ENOMEM;
            return;
        }
        sweep->files = more;
        sweep->room = room;
    }
    sweep->files[sweep->count++] = *file;
    sweep->retention->files++;
    sweep->retention->bytes += file->bytes;
}

static bool is_too_much(struct sweep *sweep, const struct file *file)
{
    if (file->time != sweep->fits || sweep->excess == 0)
        return file->time < sweep->fits;
    sweep->excess -= file->bytes < sweep->excess ? file->bytes : sweep->excess;
    return true;
}

/* Whether it is gone, by us. */
static bool remove_file(struct sweep *sweep, int folder, const char *name, const struct file *file)
{
    struct retention *retention = sweep->retention;
    bool is_old = file->time < sweep->oldest;
    if (!is_old && !is_too_much(sweep, file))
        return false;
    if (unlinkat(folder, name, 0) != 0) {
        if (errno != ENOENT)
            sweep->error = -errno;
        return false;
    }
    retention->removed_files++;
    retention->removed_bytes += file->bytes;
    retention->files--;
    retention->bytes -= file->bytes;
    if (!is_old && file->time > retention->too_much)
        retention->too_much = file->time;
    return true;
}

/* ---- the walk ---- */

/* NULL when it cannot be listed; takes FOLDER, or its error. What is no folder, is a link or is
 * gone by now is none of ours. */
static DIR *list(int folder, struct sweep *sweep)
{
    DIR *entries = folder < 0 ? NULL : fdopendir(folder);
    if (folder >= 0 && !entries) {
        sweep->error = -errno;
        close(folder);
    } else if (folder < 0 && folder != -ENOTDIR && folder != -ELOOP && folder != -ENOENT) {
        sweep->error = folder;
    }
    return entries;
}

/* Whether it removed it. */
static bool look_at_file(struct sweep *sweep, int folder, const char *name)
{
    struct stat found;
    struct file file;
    bool is_half = stored_name_is_temporary(name);
    if (!is_half && !stored_name_read(name, &file.time))
        return false;
    if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(found.st_mode))
        return false;
    file.bytes = (uint64_t)found.st_blocks * 512;
    if (is_half)
        return found.st_mtime + HALF_AGE < sweep->now && unlinkat(folder, name, 0) == 0;
    if (sweep->removes)
        return remove_file(sweep, folder, name, &file);
    note(sweep, &file);
    return false;
}

/* Whether it removed any. */
static bool look_at_profile(struct sweep *sweep, int folder)
{
    bool has_removed = false;
    DIR *entries = list(folder, sweep);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        has_removed |= look_at_file(sweep, dirfd(entries), entry->d_name);
    if (entries)
        closedir(entries);
    return has_removed;
}

/* The same. A folder goes only if it is empty. */
static bool look_at_service(struct sweep *sweep, int folder)
{
    bool has_removed = false;
    DIR *entries = list(folder, sweep);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (name_is_safe(entry->d_name, strlen(entry->d_name)) &&
            look_at_profile(sweep, store_folder(dirfd(entries), entry->d_name)))
            has_removed |= unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR) == 0;
    if (entries)
        closedir(entries);
    return has_removed;
}

static void walk(struct sweep *sweep, const struct store *store)
{
    int folder = openat(store->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = list(folder < 0 ? -errno : folder, sweep);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (name_is_safe(entry->d_name, strlen(entry->d_name)) &&
            look_at_service(sweep, store_folder(dirfd(entries), entry->d_name)))
            unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR);
    if (entries)
        closedir(entries);
}

/* ---- what goes ---- */

static int oldest_first(const void *left, const void *right)
{
    const struct file *a = left;
    const struct file *b = right;
    return (a->time > b->time) - (a->time < b->time);
}

/* Whether anything is to go. */
static bool decide(struct sweep *sweep)
{
    const struct retention *retention = sweep->retention;
    uint64_t over = retention->keep_size && retention->bytes > retention->keep_size
                        ? retention->bytes - retention->keep_size
                        : 0;
    sweep->oldest = retention->keep_age ? sweep->now - retention->keep_age : 0;
    if (sweep->count)
        qsort(sweep->files, sweep->count, sizeof *sweep->files, oldest_first);
    for (size_t i = 0; i < sweep->count && over > 0; i++) {
        const struct file *file = &sweep->files[i];
        sweep->excess = file->time == sweep->fits ? sweep->excess : 0;
        sweep->fits = file->time;
        sweep->excess += file->bytes < over ? file->bytes : over;
        over -= file->bytes < over ? file->bytes : over;
    }
    return sweep->excess > 0 || (sweep->count && sweep->files[0].time < sweep->oldest);
}

int retention_sweep(struct retention *retention, const struct store *store)
{
    struct sweep sweep = { .retention = retention, .now = time(NULL) };
    retention->removed_files = retention->removed_bytes = 0;
    retention->files = retention->bytes = 0;
    retention->too_much = 0;
    walk(&sweep, store);
    sweep.removes = decide(&sweep);
    free(sweep.files);
    if (sweep.removes)
        walk(&sweep, store);
    return sweep.error;
}
