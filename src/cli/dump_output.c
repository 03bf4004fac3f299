/* dump_output.c: where a dump goes.
 *
 * A file is written beside its place and renamed into it, so that a reader, a full disk or a crash
 * never leaves half a profile. It is readable by its owner alone, as perf and the kernel have it
 * with what they record: the paths, peers and labels in a profile were for the process's user and
 * root alone to see. A file that is there already keeps its mode and its owner. What is no plain
 * file (a pipe, /dev/stdout) is written to as it is. */
#include "cli/dump.h"

#include "base/write_all.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int write_as_it_is(const char *path, const char *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int status = write_all(fd, bytes, length);
    if (close(fd) != 0 && status == 0)
        status = -errno;
    return status;
}

static void directory_of(const char *path, char directory[PATH_MAX])
{
    snprintf(directory, PATH_MAX, "%s", path);
    char *slash = strrchr(directory, '/');
    if (!slash)
        snprintf(directory, PATH_MAX, ".");
    else
        slash[slash == directory] = 0;
}

/* The rename is on the disk only when the directory is. Some file systems cannot do that. */
static void sync_directory(const char *path)
{
    char directory[PATH_MAX];
    directory_of(path, directory);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* OLD: what is there already, or NULL. */
static int replace(const char *path, const struct stat *old, const char *bytes, size_t length)
{
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= (int)sizeof beside)
        return -ENAMETOOLONG;
    int fd = mkostemp(beside, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return -errno;
    int status = write_all(fd, bytes, length);
    /* Where the owner cannot be kept, neither may its mode: it may have been the group's. */
    if (status == 0 && old && fchown(fd, old->st_uid, old->st_gid) == 0 &&
        fchmod(fd, old->st_mode & 0777) != 0)
        status = -errno;
    if (status == 0 && fsync(fd) != 0)
        status = -errno;
    if (close(fd) != 0 && status == 0)
        status = -errno;
    if (status == 0 && rename(beside, path) != 0)
        status = -errno;
    if (status)
        unlink(beside);
    else
        sync_directory(path);
    return status;
}

static int write_undisturbed(const char *path, const struct stat *old, const char *bytes,
                             size_t length)
{
    char real[PATH_MAX];
    sigset_t all;
    sigset_t before;
    /* A link is followed, as everybody does who writes to a file of that name. */
    if (old && !realpath(path, real))
        return -errno;
    /* Whoever ends us waits for the rename: nothing is left beside it. */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    int status = replace(old ? real : path, old, bytes, length);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

int dump_file_write(const char *path, const char *bytes, size_t length)
{
    struct stat old;
    if (stat(path, &old) == 0)
        return S_ISREG(old.st_mode) ? write_undisturbed(path, &old, bytes, length)
                                    : write_as_it_is(path, bytes, length);
    return errno == ENOENT ? write_undisturbed(path, NULL, bytes, length) : -errno;
}

int dump_file_check(const char *path)
{
    struct stat old;
    char real[PATH_MAX];
    char directory[PATH_MAX];
    bool is_there = stat(path, &old) == 0;
    if (!is_there && errno != ENOENT)
        return -errno;
    if (is_there && S_ISDIR(old.st_mode))
        return -EISDIR;
    if (is_there && !S_ISREG(old.st_mode))
        return access(path, W_OK) == 0 ? 0 : -errno;
    if (is_there && !realpath(path, real))
        return -errno;
    directory_of(is_there ? real : path, directory);
    return access(directory, W_OK | X_OK) == 0 ? 0 : -errno;
}

static void print_time(char text[40])
{
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    strftime(text, 40, "%Y-%m-%d %H:%M:%S %z", &local);
}

static int write_stdout(struct dump_output *output, const char *bytes, size_t length)
{
    char time[40];
    char title[192];
    print_time(time);
    if (output->is_screen) {
        snprintf(title, sizeof title, "%s, process %d (%s), every %.3g s; Ctrl-C ends it", time,
                 (int)output->process, output->name, (double)output->wish->watch_ns / 1e9);
        return dump_screen_draw(title, bytes, length, output->written == 0);
    }
    /* JSON documents follow each other as they are: a line between them would be none. */
    if (output->wish->watch_ns && output->form != REPORT_JSON) {
        int size = snprintf(title, sizeof title, "%s== %s, process %d (%s)\n\n",
                            output->written ? "\n" : "", time, (int)output->process, output->name);
        int status = write_all(STDOUT_FILENO, title, (size_t)size);
        if (status)
            return status;
    }
    return write_all(STDOUT_FILENO, bytes, length);
}

int dump_output_write(struct dump_output *output, const char *bytes, size_t length)
{
    int status = dump_wish_is_stdout(output->wish)
                     ? write_stdout(output, bytes, length)
                     : dump_file_write(output->wish->file, bytes, length);
    output->written += status == 0;
    return status;
}
