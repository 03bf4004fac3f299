/* target.c: the process that is looked at; see target.h. */
#include "base/target.h"

#include "base/number.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define FEW 4096u /* bytes that are read as fast through /proc/PID/mem */

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
        unsigned tid;
        bool is_other = number_read(entry->d_name, INT_MAX, &tid) && (pid_t)tid != target->pid;
        int task = is_other ? open_task(target, (pid_t)tid) : -1;
        if (task >= 0 && has_memory(task))
            found = (pid_t)tid;
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
        .gate = { .pagemap_fd = -1, .maps_fd = -1, .systems.fd = -1 },
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
    page_gate_open(&target->gate, target->live_fd);
    return 0;
}

void target_close(struct target *target)
{
    page_gate_close(&target->gate);
    inner_ids_forget(target);
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

/* Through /proc/PID/mem, whose reads wait for no userfaultfd. */
static ssize_t read_slowly(const struct target *target, uint64_t address, void *bytes,
                           size_t length)
{
    if (target->mem_fd < 0)
        return -EPERM;
    if (address > LLONG_MAX)
        return -EFAULT;
    ssize_t got = pread(target->mem_fd, bytes, length, (off_t)address);
    return got < 0 ? -errno : got;
}

/* What is in memory, or whatever is there where that cannot be told. */
static ssize_t read_here(struct target *target, uint64_t address, void *bytes, size_t length)
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
    return read_slowly(target, address, bytes, length);
}

/* The pages of VIEW from ADDRESS on, kind by kind. Ends early at one that cannot be read. */
static size_t read_view(struct target *target, const struct page_view *view, uint64_t address,
                        unsigned char *bytes, size_t length)
{
    uint64_t end = view->first + view->count * target->gate.page_size;
    size_t done = 0;
    if (end - address < length)
        length = (size_t)(end - address);
    while (done < length) {
        enum page_kind kind;
        size_t run = page_view_run(&target->gate, view, address + done, length - done, &kind);
        ssize_t got = -EFAULT;
        if (kind == PAGE_HERE)
            got = read_here(target, address + done, bytes + done, run);
        else if (kind == PAGE_AWAY)
            got = read_slowly(target, address + done, bytes + done, run);
        if (got > 0)
            done += (size_t)got;
        if (got != (ssize_t)run)
            break;
    }
    return done;
}

ssize_t target_read(struct target *target, uint64_t address, void *bytes, size_t length)
{
    struct page_view view;
    size_t done = 0;
    if (target->gate.pagemap_fd < 0)
        return read_here(target, address, bytes, length);
    if (length <= FEW && target->mem_fd >= 0 &&
        page_gate_is_harmless(&target->gate, address, length))
        return read_slowly(target, address, bytes, length);
    while (done < length && page_view_take(&target->gate, address + done, length - done, &view)) {
        size_t wanted =
            (size_t)(view.first - (address + done) + view.count * target->gate.page_size);
        size_t got =
            read_view(target, &view, address + done, (unsigned char *)bytes + done, length - done);
        done += got;
        if (got < wanted)
            break;
    }
    return done > 0 || length == 0 ? (ssize_t)done : -EFAULT;
}

/* Where pages cannot be told apart, up to the end of the mapping, if that is known. */
static ssize_t read_in_mapping(struct target *target, uint64_t address, void *bytes, size_t length)
{
    uint64_t end = page_gate_mapping_end(&target->gate, address);
    if (end > address && end - address < length)
        length = (size_t)(end - address);
    return read_here(target, address, bytes, length);
}

ssize_t target_read_ahead(struct target *target, uint64_t address, void *bytes, size_t length)
{
    struct page_view view;
    if (target->gate.pagemap_fd < 0)
        return read_in_mapping(target, address, bytes, length);
    if (!page_view_take(&target->gate, address, length, &view))
        return -EFAULT;
    size_t here = page_view_here(&target->gate, &view, address, length);
    if (here == 0)
        return -EFAULT;
    return read_here(target, address, bytes, here);
}

bool target_read_all(struct target *target, uint64_t address, void *bytes, size_t length)
{
    return target_read(target, address, bytes, length) == (ssize_t)length;
}

bool target_device_answers(struct target *target, uint64_t device)
{
    return device_answers(&target->gate.systems, device);
}

bool target_path_answers(struct target *target, const char *path)
{
    return path_answers(&target->gate.systems, path);
}
