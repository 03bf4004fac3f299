/* target.h: the process that is looked at, and how its memory is read.
 *
 * Everything a dump knows comes through here: files under /proc/PID, opened
 * relative to descriptors that are kept (so a chroot after start changes
 * nothing), and memory by the kernel, where an address that is not mapped is an
 * error and never a fault. A page that nobody might ever bring counts as not mapped: a dump waits
 * for no file system and no userfaultfd (pages.h). */
#ifndef SNAG_BASE_TARGET_H
#define SNAG_BASE_TARGET_H

#include "base/inner_ids.h"
#include "base/pages.h"
#include "base/proc_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target {
    pid_t pid;
    bool self;       /* the own process: signals may be used */
    int proc_fd;     /* directory /proc/PID */
    int task_fd;     /* directory /proc/PID/task */
    int live_fd;     /* directory /proc/PID/task/TID of a thread that lives: a leader that has
                        exited while others go on has no maps, no memory, no exe */
    pid_t live_tid;  /* that thread */
    int mem_fd;      /* its `mem`, for kernels that refuse process_vm_readv; -1 without */
    bool vm_refused; /* process_vm_readv answered EPERM or ENOSYS once: use mem_fd */
    struct page_gate gate;
    struct inner_ids inner_ids;
    pid_t own_tid;   /* snag's thread in it, left out of lists: the one that looks, if it is the own
                        process; 0: there is none */
    pid_t voice_tid; /* the one that writes its log, too; 0: there is none */
};

/* Whether TID is one of snag's own threads, which are no part of any dump. */
static inline bool target_is_own(const struct target *target, pid_t tid)
{
    return tid != 0 && (tid == target->own_tid || tid == target->voice_tid);
}

/* Opens PID, 0 for the own process. 0 or a negative errno. */
int target_open(struct target *target, pid_t pid);
void target_close(struct target *target);

/* Reads up to LENGTH bytes at ADDRESS. Returns how many could be read (short at
 * the first unreadable page), or a negative errno when not even the first. */
ssize_t target_read(struct target *target, uint64_t address, void *bytes, size_t length);

/* As target_read, but ends at the first page that is not in memory: for what is read ahead of its
 * being wanted. */
ssize_t target_read_ahead(struct target *target, uint64_t address, void *bytes, size_t length);

/* As target_read, all or nothing. */
bool target_read_all(struct target *target, uint64_t address, void *bytes, size_t length);

/* Whether files on DEVICE, or on the way to PATH, can be opened and read without waiting for
 * anybody. */
bool target_device_answers(struct target *target, uint64_t device);
bool target_path_answers(struct target *target, const char *path);

#endif
