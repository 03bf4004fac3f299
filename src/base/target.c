/* target.c: the process that is looked at; see target.h. */
#include "base/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

/* "0-1f ..." is not read further: whether there is anything at all says if it has memory. */
static bool has_memory(int directory_fd)
{
    char text[2];
    return proc_read(directory_fd, "maps", text, sizeof text) > 0;
}

static int open_task(const struct target *target, pid_t tid)
{
    char name[16];
    snprintf(name, sizeof name, "%d", (int)tid);
    return openat(target->task_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* 0 for "." and "..". */
static pid_t tid_of(const char *name)
{
    pid_t tid = 0;
    for (; *name >= '0' && *name <= '9'; name++)
        tid = tid * 10 + (*name - '0');
    return tid;
}

/* The leader, or the first other thread when it has exited. */
static pid_t find_live_thread(const struct target *target)
{
    if (has_memory(target->proc_fd))
        return target->pid;
    pid_t found = target->pid;
    int fd = openat(target->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    if (!list) {
        if (fd >= 0)
            close(fd);
        return found;
    }
    for (const struct dirent *entry; found == target->pid && (entry = readdir(list)) != NULL;) {
        pid_t tid = tid_of(entry->d_name);
        int task = tid > 0 && tid != target->pid ? open_task(target, tid) : -1;
        if (task >= 0 && has_memory(task))
            found = tid;
        if (task >= 0)
            close(task);
    }
    closedir(list);
    return found;
}

int target_open(struct target *target, pid_t pid)
{
    *target = (struct target){
        .pid = pid ? pid : getpid(),
        .self = pid == 0 || pid == getpid(),
        .proc_fd = -1,
        .task_fd = -1,
        .live_fd = -1,
        .mem_fd = -1,
    };
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)target->pid);
    target->proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target->proc_fd < 0)
        return -errno;
    target->task_fd = openat(target->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target->task_fd < 0) {
        int error = -errno;
        target_close(target);
        return error;
    }
    if (target->self)
        target->own_tid = gettid();
    target->live_tid = target->self ? target->own_tid : find_live_thread(target);
    target->live_fd = open_task(target, target->live_tid);
    if (target->live_fd < 0) {
        int error = errno == ENOENT ? -ESRCH : -errno;
        target_close(target);
        return error;
    }
    target->mem_fd = openat(target->live_fd, "mem", O_RDONLY | O_CLOEXEC);
    return 0;
}

void target_close(struct target *target)
{
    if (target->mem_fd >= 0)
        close(target->mem_fd);
    if (target->live_fd >= 0)
        close(target->live_fd);
    if (target->task_fd >= 0)
        close(target->task_fd);
    if (target->proc_fd >= 0)
        close(target->proc_fd);
    target->proc_fd = target->task_fd = target->live_fd = target->mem_fd = -1;
}

ssize_t target_read(struct target *target, uint64_t address, void *bytes, size_t length)
{
    if (!target->vm_refused) {
        struct iovec to = { bytes, length };
        struct iovec from = { (void *)(uintptr_t)address, length };
        ssize_t got = process_vm_readv(target->live_tid, &to, 1, &from, 1, 0);
        if (got >= 0)
            return got;
        if (errno != EPERM && errno != ENOSYS)
            return -errno;
        target->vm_refused = true;
    }
    if (target->mem_fd < 0)
        return -EPERM;
    if (address > LLONG_MAX)
        return -EFAULT;
    ssize_t got = pread(target->mem_fd, bytes, length, (off_t)address);
    return got < 0 ? -errno : got;
}

bool target_read_all(struct target *target, uint64_t address, void *bytes, size_t length)
{
    return target_read(target, address, bytes, length) == (ssize_t)length;
}

ssize_t proc_read(int directory_fd, const char *path, char *text, size_t size)
{
    text[0] = 0;
    int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t length = 0;
    ssize_t got = 0;
    while (length < size - 1) {
        got = read(fd, text + length, size - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    int error = got < 0 ? -errno : 0;
    close(fd);
    text[length] = 0;
    return error ? error : (ssize_t)length;
}

ssize_t proc_read_whole(int directory_fd, const char *path, char **text)
{
    *text = NULL;
    int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t length = 0;
    size_t capacity = 0;
    int error = 0;
    for (;;) {
        if (capacity - length < 4097) {
            capacity = capacity ? capacity * 2 : 32768;
            char *grown = realloc(*text, capacity);
            if (!grown) {
                error = -ENOMEM;
                break;
            }
            *text = grown;
        }
        ssize_t got = read(fd, *text + length, capacity - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            error = -errno;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    close(fd);
    if (error) {
        free(*text);
        *text = NULL;
        return error;
    }
    (*text)[length] = 0;
    return (ssize_t)length;
}
