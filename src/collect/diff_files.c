/* diff_files.c: which file is meant where a directory is named; see diff.h.
 *
 * `snag collect` names a file by its time, TIME.pb.gz, or TIME-INSTANCE.pb.gz where a service has
 * several instances. Names order as times do. Two instances are two processes, and what differs
 * between them has not grown: a directory with several has no oldest and newest. */
#include "collect/diff.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ENDING ".pb.gz"

static bool is_profile(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > strlen(ENDING) &&
           strcmp(entry->d_name + length - strlen(ENDING), ENDING) == 0;
}

/* "-web-1.pb.gz" of "20261130T202105Z-web-1.pb.gz" */
static const char *instance_of(const char *name)
{
    return strchr(name, '-') ? strchr(name, '-') : name + strlen(name) - strlen(ENDING);
}

static int search(DIR *directory, enum diff_end end, char found[NAME_MAX + 1], char *why,
                  size_t size)
{
    const struct dirent *entry;
    *found = 0;
    while ((entry = readdir(directory))) {
        if (!is_profile(entry))
            continue;
        if (*found && strcmp(instance_of(found), instance_of(entry->d_name)) != 0) {
            snprintf(why, size,
                     "it holds profiles of several instances, such as %.80s and %.80s: name those "
                     "of one, *-INSTANCE%s",
                     found, entry->d_name, ENDING);
            return -EINVAL;
        }
        int order = strcmp(entry->d_name, found);
        if (!*found || (end == DIFF_OLDEST ? order < 0 : order > 0))
            snprintf(found, NAME_MAX + 1, "%s", entry->d_name);
    }
    if (*found)
        return 0;
    snprintf(why, size, "there is no profile (*%s) in it", ENDING);
    return -ENOENT;
}

int diff_find_file(const char *path, enum diff_end end, char file[PATH_MAX], char *why, size_t size)
{
    char name[NAME_MAX + 1];
    DIR *directory = opendir(path);
    int length;
    if (!directory && errno != ENOTDIR) {
        int error = errno;
        snprintf(why, size, "%s", strerror(error));
        return -error;
    }
    if (!directory)
        length = snprintf(file, PATH_MAX, "%s", path);
    else {
        int status = search(directory, end, name, why, size);
        closedir(directory);
        if (status)
            return status;
        length = snprintf(file, PATH_MAX, "%s/%s", path, name);
    }
    if (length > 0 && length < PATH_MAX)
        return 0;
    snprintf(why, size, "%s", strerror(ENAMETOOLONG));
    return -ENAMETOOLONG;
}
