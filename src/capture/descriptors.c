/* descriptors.c: procfs files of threads, within the limit of descriptors;
 * see descriptors.h.
 *
 * Where the kernel refused the listener a table of its own, nothing is kept:
 * every descriptor would be one less for the service. That is seen by looking
 * for our own number in the leader's table. */
#include "capture/descriptors.h"

#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LEFT_FREE 64u
#define BITS 64u

static bool table_is_shared(const struct target *target)
{
    char name[32];
    char ours[64];
    char link[64];
    if (!target->self)
        return false;
    snprintf(name, sizeof name, "fd/%d", target->task_fd);
    snprintf(ours, sizeof ours, "/proc/%d/task", (int)target->pid);
    ssize_t length = readlinkat(target->proc_fd, name, link, sizeof link);
    return length == (ssize_t)strlen(ours) && memcmp(link, ours, (size_t)length) == 0;
}

void descriptors_init(struct descriptors *descriptors, const struct target *target)
{
    *descriptors = (struct descriptors){
        .task_fd = target->task_fd,
        .shared = table_is_shared(target),
        .epoch = 1,
    };
    descriptors_refresh(descriptors);
}

void descriptors_free(struct descriptors *descriptors)
{
    descriptors_drop(descriptors);
    free(descriptors->kept);
    descriptors->kept = NULL;
    descriptors->capacity = 0;
}

static bool room_for(const struct descriptors *descriptors, unsigned count)
{
    return !descriptors->shared && count <= descriptors->limit / 2 &&
           count + LEFT_FREE <= descriptors->limit;
}

void descriptors_refresh(struct descriptors *descriptors)
{
    struct rlimit limit;
    descriptors->limit = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
    if (descriptors->count > 0 && !room_for(descriptors, descriptors->count))
        descriptors_drop(descriptors);
}

/* ENOENT for a file of a thread that is there means that the kernel has no such file. */
static int why_not_open(const struct descriptors *descriptors, pid_t tid, int error)
{
    if (error != ENOENT)
        return -error;
    char path[16];
    snprintf(path, sizeof path, "%d", (int)tid);
    return faccessat(descriptors->task_fd, path, F_OK, 0) == 0 ? -ENOENT : -ESRCH;
}

/* "TID/NAME", by hand: it is done four times for each thread. */
static const char *path_of(pid_t tid, const char *name, char path[64])
{
    char *at = path + 11;
    strncpy(at, name, 52);
    *--at = '/';
    for (unsigned rest = (unsigned)tid; rest > 0 && at > path; rest /= 10)
        *--at = (char)('0' + rest % 10);
    return at;
}

int descriptors_open(struct descriptors *descriptors, pid_t tid, const char *name)
{
    char text[64] = { 0 };
    const char *path = path_of(tid, name, text);
    int fd = openat(descriptors->task_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == EMFILE && descriptors->count > 0) {
        descriptors_drop(descriptors);
        fd = openat(descriptors->task_fd, path, O_RDONLY | O_CLOEXEC);
    }
    return fd >= 0 ? fd : why_not_open(descriptors, tid, errno);
}

static bool grow(struct descriptors *descriptors, unsigned fd)
{
    size_t words = (fd / BITS + 1) * 2;
    uint64_t *grown = realloc(descriptors->kept, words * sizeof *grown);
    if (!grown)
        return false;
    size_t before = descriptors->capacity / BITS;
    memset(grown + before, 0, (words - before) * sizeof *grown);
    descriptors->kept = grown;
    descriptors->capacity = words * BITS;
    return true;
}

bool descriptors_keep(struct descriptors *descriptors, int fd)
{
    unsigned number = (unsigned)fd;
    if (!room_for(descriptors, descriptors->count + 1) || number + LEFT_FREE >= descriptors->limit)
        return false;
    if (number >= descriptors->capacity && !grow(descriptors, number))
        return false;
    descriptors->kept[number / BITS] |= UINT64_C(1) << number % BITS;
    descriptors->count++;
    return true;
}

void descriptors_close(struct descriptors *descriptors, int fd)
{
    unsigned number = (unsigned)fd;
    descriptors->kept[number / BITS] &= ~(UINT64_C(1) << number % BITS);
    descriptors->count--;
    close(fd);
}

void descriptors_drop(struct descriptors *descriptors)
{
    for (size_t i = 0; i < descriptors->capacity / BITS; i++)
        while (descriptors->kept[i])
            descriptors_close(descriptors, (int)(i * BITS) + __builtin_ctzll(descriptors->kept[i]));
    descriptors->epoch++;
}
