/* inner_ids.c: thread ids as the target knows them; see inner_ids.h and proc_pid_status(5). */
#include "base/inner_ids.h"

#include "base/number.h"
#include "base/target.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READS_MOST 2 /* one more for threads that began since the first */

struct inner_id {
    pid_t inner;
    pid_t outer;
};

/* The last of the ids in "NSpid:\t4711\t12" of the status file NAME; *COUNT of them. 0: unknown. */
static pid_t innermost(int directory, const char *name, size_t *count)
{
    static const char label[] = "\nNSpid:";
    char text[4096];
    uint64_t id = 0;
    *count = 0;
    ssize_t length = proc_read(directory, name, text, sizeof text);
    const char *at = length > 0 ? strstr(text, label) : NULL;
    if (!at)
        return 0;
    for (at += strlen(label); *at == '\t'; at += strcspn(at, "\t\n")) {
        if (!number_begin(++at, INT_MAX, &id))
            return 0;
        (*count)++;
    }
    return (pid_t)id;
}

bool ids_are_nested(struct target *target)
{
    struct inner_ids *ids = &target->inner_ids;
    size_t count;
    if (!ids->looked)
        ids->is_nested = innermost(target->proc_fd, "status", &count) != 0 && count > 1;
    ids->looked = true;
    return ids->is_nested;
}

pid_t inner_pid(struct target *target, pid_t pid)
{
    char name[32];
    size_t count;
    snprintf(name, sizeof name, "../%d/status", (int)pid);
    return innermost(target->proc_fd, name, &count);
}

static int by_inner(const void *left, const void *right)
{
    pid_t a = ((const struct inner_id *)left)->inner;
    pid_t b = ((const struct inner_id *)right)->inner;
    return (a > b) - (a < b);
}

static bool add(struct inner_ids *ids, size_t *capacity, struct inner_id id)
{
    if (ids->count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 64;
        struct inner_id *grown = realloc(ids->list, larger * sizeof *grown);
        if (!grown)
            return false;
        ids->list = grown;
        *capacity = larger;
    }
    ids->list[ids->count++] = id;
    return true;
}

static void read_list(struct target *target)
{
    struct inner_ids *ids = &target->inner_ids;
    size_t capacity = 0;
    free(ids->list);
    ids->list = NULL;
    ids->count = 0;
    ids->reads++;
    int fd = openat(target->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char name[32];
        size_t count;
        unsigned tid;
        if (!number_read(entry->d_name, INT_MAX, &tid))
            continue; /* "." and ".." */
        snprintf(name, sizeof name, "%u/status", tid);
        const struct inner_id id = { .inner = innermost(target->task_fd, name, &count),
                                     .outer = (pid_t)tid };
        if (id.inner && !add(ids, &capacity, id))
            break;
    }
    closedir(directory);
    if (ids->count > 1)
        qsort(ids->list, ids->count, sizeof *ids->list, by_inner);
}

static pid_t find(const struct inner_ids *ids, pid_t id)
{
    const struct inner_id key = { .inner = id };
    const struct inner_id *found =
        ids->count ? bsearch(&key, ids->list, ids->count, sizeof key, by_inner) : NULL;
    return found ? found->outer : 0;
}

pid_t outer_tid(struct target *target, pid_t id)
{
    struct inner_ids *ids = &target->inner_ids;
    if (id <= 0 || !ids_are_nested(target))
        return id > 0 ? id : 0;
    pid_t tid = find(ids, id);
    while (tid == 0 && ids->reads < READS_MOST) {
        read_list(target);
        tid = find(ids, id);
    }
    return tid;
}

void inner_ids_forget(struct target *target)
{
    struct inner_ids *ids = &target->inner_ids;
    free(ids->list);
    ids->list = NULL;
    ids->count = 0;
    ids->reads = 0;
}
