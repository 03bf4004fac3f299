/* diff_files.c: which files are meant where a directory is named; see diff.h.
 *
 * `snag collect` names a file by its time, TIME.pb.gz, or TIME-INSTANCE.pb.gz where a service has
 * several instances. Names order as times do. Two instances are two processes, and what differs
 * between them has not grown: each is held against itself. */
#include "collect/diff.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDING ".pb.gz"

static int is_profile(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > strlen(ENDING) &&
           strcmp(entry->d_name + length - strlen(ENDING), ENDING) == 0;
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

/* "-web-1.pb.gz" of "DIRECTORY/20261130T202105Z-web-1.pb.gz" */
static const char *instance_of(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    return strchr(name, '-') ? strchr(name, '-') : name + strlen(name) - strlen(ENDING);
}

static struct diff_pair *find(const struct diff_pairs *pairs, const char *instance)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(instance_of(pairs->at[i].before), instance) == 0)
            return &pairs->at[i];
    return NULL;
}

bool diff_pair_is_one(const struct diff_pair *pair)
{
    return strcmp(pair->before, pair->now) == 0;
}

int diff_pairs_add(struct diff_pairs *pairs, const char *before, const char *now)
{
    struct diff_pair *more = realloc(pairs->at, (pairs->count + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    pairs->at = more;
    struct diff_pair *pair = &pairs->at[pairs->count];
    *pair = (struct diff_pair){ strdup(before), strdup(now) };
    if (pair->before && pair->now) {
        pairs->count++;
        return 0;
    }
    free(pair->before);
    free(pair->now);
    return -ENOMEM;
}

/* PATH is newer than those that were added before. */
static int add_newer(struct diff_pairs *pairs, const char *path)
{
    struct diff_pair *pair = find(pairs, instance_of(path));
    if (!pair)
        return diff_pairs_add(pairs, path, path);
    char *now = strdup(path);
    if (!now)
        return -ENOMEM;
    free(pair->now);
    pair->now = now;
    return 0;
}

int diff_pairs_read(struct diff_pairs *pairs, const char *directory)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_profile, by_name);
    int status = 0;
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (status == 0 && asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0)
            status = -ENOMEM;
        else if (status == 0)
            status = add_newer(pairs, path);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return status;
}

void diff_pairs_free(struct diff_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->at[i].before);
        free(pairs->at[i].now);
    }
    free(pairs->at);
    *pairs = (struct diff_pairs){ .at = NULL };
}
