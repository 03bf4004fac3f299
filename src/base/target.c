/* target.c: the process that is looked at; see target.h. */
#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

int target_open(struct target *target, pid_t pid)
{
    *target = (struct target){
        .pid = pid ? pid : getpid(),
        .self = pid == 0 || pid == getpid(),
        .proc_fd = -1,
        .task_fd = -1,
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
    target->mem_fd = openat(target->proc_fd, "mem", O_RDONLY | O_CLOEXEC);
    if (target->self)
        target->own_tid = gettid();
    return 0;
}

void target_close(struct target *target)
{
    if (target->mem_fd >= 0)
        close(target->mem_fd);
    if (target->task_fd >= 0)
        close(target->task_fd);
    if (target->proc_fd >= 0)
        close(target->proc_fd);
    target->proc_fd = target->task_fd = target->mem_fd = -1;
}

ssize_t target_read(struct target *target, uint64_t address, void *bytes, size_t length)
{
    if (!target->vm_refused) {
        struct iovec to = { bytes, length };
        struct iovec from = { (void *)(uintptr_t)address, length };
        ssize_t got = process_vm_readv(target->pid, &to, 1, &from, 1, 0);
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
