/* retention.c: what is too old, or too much, goes; see retention.h.
 *
 * Every sweep looks at the disk anew: files of another collector, or that somebody removed by
 * hand, count as what they are. */
#include "collect/retention.h"

#include "collect/store.h"
#include "collect/stored_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a half file: whoever wrote it is gone. */
#define HALF_AGE 600

struct file {
    time_t time;
    uint64_t bytes;
    char *path; /* SERVICE/PROFILE/NAME */
};

struct files {
    struct file *at;
    size_t count;
    size_t room;
    int error;
};

static void add(struct files *files, const char *service, const char *profile, const char *name,
                time_t when, uint64_t bytes)
{
    if (files->count == files->room) {
        size_t room = files->room ? 2 * files->room : 1024;
        struct file *more = realloc(files->at, room * sizeof *more);
        if (!more) {
            files->error = -ENOMEM;
            return;
        }
        files->at = more;
        files->room = room;
    }
    struct file *file = &files->at[files->count];
    *file = (struct file){ .time = when, .bytes = bytes };
    if (asprintf(&file->path, "%s/%s/%s", service, profile, name) < 0)
        files->error = -ENOMEM;
    else
        files->count++;
}

/* NULL when it cannot be listed; takes FOLDER, or its error. What is no folder, is a link or is
 * gone by now is none of ours. */
static DIR *list(int folder, struct files *files)
{
    DIR *entries = folder < 0 ? NULL : fdopendir(folder);
    if (folder >= 0 && !entries) {
        files->error = -errno;
        close(folder);
    } else if (folder < 0 && folder != -ENOTDIR && folder != -ELOOP && folder != -ENOENT) {
        files->error = folder;
    }
    return entries;
}

static void look_at_file(struct files *files, int folder, const char *service, const char *profile,
                         const char *name)
{
    struct stat found;
    time_t when;
    bool is_half = stored_name_is_temporary(name);
    if (!is_half && !stored_name_read(name, &when))
        return;
    if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(found.st_mode))
        return;
    if (!is_half)
        add(files, service, profile, name, when, (uint64_t)found.st_blocks * 512);
    else if (found.st_mtime + HALF_AGE < time(NULL))
        unlinkat(folder, name, 0);
}

static void look_at_profile(struct files *files, int service_folder, const char *service,
                            const char *profile)
{
    DIR *entries = list(store_folder(service_folder, profile), files);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        look_at_file(files, dirfd(entries), service, profile, entry->d_name);
    if (entries)
        closedir(entries);
}

static void look_at_service(struct files *files, const struct store *store, const char *service)
{
    DIR *entries = list(store_folder(store->directory, service), files);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (name_is_safe(entry->d_name, strlen(entry->d_name)))
            look_at_profile(files, dirfd(entries), service, entry->d_name);
    if (entries)
        closedir(entries);
}

static void look(struct files *files, const struct store *store)
{
    int folder = openat(store->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = list(folder < 0 ? -errno : folder, files);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (name_is_safe(entry->d_name, strlen(entry->d_name)))
            look_at_service(files, store, entry->d_name);
    if (entries)
        closedir(entries);
}

/* ---- what goes ---- */

static int oldest_first(const void *left, const void *right)
{
    const struct file *a = left;
    const struct file *b = right;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return strcmp(a->path, b->path);
}

/* PATH is taken apart; each folder is entered anew, so that none is a link by now. */
static int remove_file(const struct store *store, char *path)
{
    char *profile = strchr(path, '/');
    *profile++ = 0;
    char *name = strchr(profile, '/');
    *name++ = 0;
    int service_folder = store_folder(store->directory, path);
    int folder = service_folder < 0 ? service_folder : store_folder(service_folder, profile);
    int status = folder < 0 ? folder : 0;
    if (folder >= 0 && unlinkat(folder, name, 0) != 0)
        status = -errno;
    if (folder >= 0)
        close(folder);
    /* Each goes only if it is empty. */
    if (status == 0 && unlinkat(service_folder, profile, AT_REMOVEDIR) == 0)
        unlinkat(store->directory, path, AT_REMOVEDIR);
    if (service_folder >= 0)
        close(service_folder);
    return status == -ENOENT ? 0 : status;
}

static void remove_what_is_over(struct retention *retention, const struct store *store,
                                struct files *files)
{
    time_t oldest = retention->keep_age ? time(NULL) - retention->keep_age : 0;
    for (size_t i = 0; i < files->count; i++) {
        const struct file *file = &files->at[i];
        bool is_old = retention->keep_age && file->time < oldest;
        bool is_too_much = retention->keep_size && retention->bytes > retention->keep_size;
        if (!is_old && !is_too_much)
            break;
        int status = remove_file(store, file->path);
        if (status) {
            files->error = status;
            continue;
        }
        retention->removed_files++;
        retention->removed_bytes += file->bytes;
        retention->files--;
        retention->bytes -= file->bytes;
    }
}

int retention_sweep(struct retention *retention, const struct store *store)
{
    struct files files = { .count = 0 };
    look(&files, store);
    if (files.count)
        qsort(files.at, files.count, sizeof *files.at, oldest_first);
    retention->removed_files = retention->removed_bytes = 0;
    retention->files = files.count;
    retention->bytes = 0;
    for (size_t i = 0; i < files.count; i++)
        retention->bytes += files.at[i].bytes;
    remove_what_is_over(retention, store, &files);
    for (size_t i = 0; i < files.count; i++)
        free(files.at[i].path);
    free(files.at);
    return files.error;
}
