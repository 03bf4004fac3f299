/* present.c: the threads and descriptors that there are now; see present.h. */
#include "api/present.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

/* A list of numbers that grows. */
struct numbers {
    int *list;
    size_t count;
    size_t capacity;
};

static bool number_add(struct numbers *numbers, int number)
{
    if (numbers->count == numbers->capacity) {
        size_t capacity = numbers->capacity ? numbers->capacity * 2 : 64;
        int *list = realloc(numbers->list, capacity * sizeof *list);
        if (!list)
            return false;
        numbers->list = list;
        numbers->capacity = capacity;
    }
    numbers->list[numbers->count++] = number;
    return true;
}

static int ascending(const void *left, const void *right)
{
    int a = *(const int *)left;
    int b = *(const int *)right;
    return (a > b) - (a < b);
}

/* The numbers that name entries of the directory PATH, ascending, the descriptor that reads it left
 * out if IS_FDS. */
static int list_numbers(const char *path, bool is_fds, struct numbers *numbers)
{
    _Alignas(struct entry) char bytes[8192];
    *numbers = (struct numbers){ 0 };
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    long got;
    int status = 0;
    while ((got = syscall(SYS_getdents64, fd, bytes, sizeof bytes)) > 0 && status == 0) {
        for (long at = 0; at < got && status == 0;) {
            const struct entry *entry = (const struct entry *)(bytes + at);
            at += entry->length;
            char *end;
            long number = strtol(entry->name, &end, 10);
            if (end == entry->name || *end || (is_fds && number == fd))
                continue;
            status = number_add(numbers, (int)number) ? 0 : -ENOMEM;
        }
    }
    if (got < 0)
        status = -errno;
    syscall(SYS_close, fd);
    if (status) {
        free(numbers->list);
        *numbers = (struct numbers){ 0 };
    } else if (numbers->count > 1) {
        qsort(numbers->list, numbers->count, sizeof *numbers->list, ascending);
    }
    return status;
}

/* Reads a small file; the length, or a negative errno. */
static ssize_t read_file(const char *path, char *text, size_t size)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got = syscall(SYS_read, fd, text, size - 1);
    int error = errno;
    syscall(SYS_close, fd);
    if (got < 0)
        return -error;
    text[got] = 0;
    return got;
}

/* Field 22 of stat. The name before it may hold anything, so fields are counted from its closing
 * bracket. 0 when the thread is gone. */
static uint64_t start_of(int tid)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    if (read_file(path, text, sizeof text) <= 0)
        return 0;
    const char *field = strrchr(text, ')');
    for (int number = 2; field && number < 22; number++)
        field = strchr(field + 1, ' ');
    return field ? strtoull(field, NULL, 10) : 0;
}

static int take_threads(struct present *present)
{
    struct numbers tids;
    int status = list_numbers("/proc/self/task", false, &tids);
    if (status)
        return status;
    present->threads = calloc(tids.count + 1, sizeof *present->threads);
    for (size_t i = 0; present->threads && i < tids.count; i++) {
        struct leak_thread thread = { tids.list[i], start_of(tids.list[i]) };
        if (thread.start != 0)
            present->threads[present->thread_count++] = thread;
    }
    free(tids.list);
    return present->threads ? 0 : -ENOMEM;
}

static int take_fds(struct present *present)
{
    struct numbers fds;
    int status = list_numbers("/proc/self/fd", true, &fds);
    if (status)
        return status;
    present->fds = calloc(fds.count + 1, sizeof *present->fds);
    for (size_t i = 0; present->fds && i < fds.count; i++) {
        char path[64];
        char link[PATH_MAX];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fds.list[i]);
        ssize_t length = readlink(path, link, sizeof link);
        if (length > 0)
            present->fds[present->fd_count++] =
                (struct leak_fd){ fds.list[i], leak_hash(link, (size_t)length) };
    }
    free(fds.list);
    return present->fds ? 0 : -ENOMEM;
}

int present_take(struct present *present)
{
    *present = (struct present){ 0 };
    int status = take_threads(present);
    if (status == 0)
        status = take_fds(present);
    if (status)
        present_free(present);
    return status;
}

void present_free(struct present *present)
{
    free(present->threads);
    free(present->fds);
    *present = (struct present){ 0 };
}
