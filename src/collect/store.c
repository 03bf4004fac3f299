/* store.c: the directory that profiles are kept in; see store.h.
 *
 * Written under another name, flushed, and given its name by a rename that refuses to replace. The
 * folder is not flushed: that would cost as much again, and only the names of the last few seconds
 * can be lost. An orderly end waits for what has begun (workers.h); the half file of a kill is
 * removed by retention.c. */
#include "collect/store.h"

#include "base/write_all.h"
#include "collect/stored_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder that was just opened may be removed as an empty one, here or by another collector. */
#define TRIES 5

/* Of one target in one second. */
#define NUMBERS_MOST 1000

int store_folder(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int store_open(struct store *store, const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    *store = (struct store){ .directory = fd, .path = path };
    return 0;
}

void store_close(struct store *store)
{
    if (store->directory >= 0)
        close(store->directory);
}

/* The same, made if it is not there. */
static int make_folder(int folder, const char *name)
{
    int fd = store_folder(folder, name);
    if (fd != -ENOENT)
        return fd;
    if (mkdirat(folder, name, 0700) != 0 && errno != EEXIST)
        return -errno;
    return store_folder(folder, name);
}

/* -EEXIST when there is something of that name. */
static int give_name(int folder, const char *temporary, const char *name)
{
    if (renameat2(folder, temporary, folder, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    /* A file system that knows no such rename. */
    if (linkat(folder, temporary, folder, name, 0) != 0)
        return -errno;
    unlinkat(folder, temporary, 0);
    return 0;
}

static int give_free_name(int folder, const char *temporary, time_t time, const char *instance)
{
    char name[STORED_NAME_SIZE];
    int status = -EEXIST;
    for (unsigned number = 1; status == -EEXIST && number <= NUMBERS_MOST; number++) {
        stored_name_write(name, time, number, instance);
        status = give_name(folder, temporary, name);
    }
    return status;
}

/* A new file, whose name goes to TEMPORARY: another collector may be at the same. A descriptor or
 * a negative errno. */
static int open_temporary(int folder, time_t time, const char *instance, char *temporary,
                          size_t size)
{
    char name[STORED_NAME_SIZE];
    int fd = -EEXIST;
    for (unsigned number = 1; fd == -EEXIST && number <= NUMBERS_MOST; number++) {
        stored_name_write(name, time, number, instance);
        stored_name_temporary(temporary, size, name);
        fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            fd = -errno;
    }
    return fd;
}

static int write_file(int folder, time_t time, const char *instance, const void *bytes,
                      size_t length)
{
    char temporary[STORED_NAME_SIZE + 8];
    int fd = open_temporary(folder, time, instance, temporary, sizeof temporary);
    if (fd < 0)
        return fd;
    int status = write_all(fd, bytes, length);
    if (status == 0 && fsync(fd) != 0)
        status = -errno;
    if (close(fd) != 0 && status == 0)
        status = -errno;
    if (status == 0)
        status = give_free_name(folder, temporary, time, instance);
    if (status)
        unlinkat(folder, temporary, 0);
    return status;
}

/* DIR/SERVICE/PROFILE: a descriptor or a negative errno. */
static int open_folder(const struct store *store, const char *service, const char *profile)
{
    int outer = make_folder(store->directory, service);
    if (outer < 0)
        return outer;
    int folder = make_folder(outer, profile);
    close(outer);
    return folder;
}

void store_write(const struct store *store, const char *service, const char *profile,
                 const char *instance, time_t time, const void *bytes, size_t length,
                 struct outcome *outcome)
{
    int status = -ENOENT;
    for (int tries = 0; status == -ENOENT && tries < TRIES; tries++) {
        int folder = status = open_folder(store, service, profile);
        if (folder < 0)
            continue;
        status = write_file(folder, time, instance, bytes, length);
        close(folder);
    }
    if (status < 0)
        outcome_set(outcome, OUTCOME_NOT_WRITTEN, "cannot write %s/%s/%s: %s", store->path, service,
                    profile, strerror(-status));
    else
        outcome_set(outcome, OUTCOME_OK, "%s", "");
}
