/* calls.c: the system calls that can block; see calls.h.
 *
 * Close is not here on purpose: when it blocks, its descriptor has left the
 * table already, and another may have its number. */
#include "waits/calls.h"

#include "sources/threads.h"

#include <stdlib.h>
#include <string.h>

#define NONE ARGUMENT_NONE

/* By name, for bsearch. */
static const struct call calls[] = {
    { "accept", CALL_READS, 0, NONE },
    { "accept4", CALL_READS, 0, NONE },
    { "clock_nanosleep", CALL_CLOCK_SLEEP, 2, 2 },
    { "clone", CALL_CLONE, NONE, NONE },
    { "clone3", CALL_CLONE, NONE, NONE },
    { "connect", CALL_WRITES, 0, NONE },
    { "copy_file_range", CALL_MOVES, 0, NONE },
    { "epoll_pwait", CALL_EPOLL, 0, 3 },
    { "epoll_pwait2", CALL_EPOLL, 0, 3 },
    { "epoll_wait", CALL_EPOLL, 0, 3 },
    { "fallocate", CALL_WRITES, 0, NONE },
    { "fcntl", CALL_FCNTL, 0, NONE },
    { "fdatasync", CALL_WRITES, 0, NONE },
    { "flock", CALL_FILE_LOCK, 0, NONE },
    { "fstat", CALL_READS, 0, NONE },
    { "fsync", CALL_WRITES, 0, NONE },
    { "ftruncate", CALL_WRITES, 0, NONE },
    { "futex", CALL_FUTEX, 0, 3 },
    { "futex_wait", CALL_NEW_FUTEX, 0, 4 },
    { "futex_waitv", CALL_NEW_FUTEX, 0, 3 },
    { "getdents", CALL_READS, 0, NONE },
    { "getdents64", CALL_READS, 0, NONE },
    { "io_getevents", CALL_COMPLETION, NONE, 4 },
    { "io_pgetevents", CALL_COMPLETION, NONE, 4 },
    { "io_uring_enter", CALL_RING, 0, NONE },
    { "ioctl", CALL_READS, 0, NONE },
    { "mq_timedreceive", CALL_QUEUE, 0, 4 },
    { "mq_timedsend", CALL_QUEUE, 0, 4 },
    { "msgrcv", CALL_IPC, 0, NONE },
    { "msgsnd", CALL_IPC, 0, NONE },
    { "nanosleep", CALL_SLEEP, 0, 0 },
    { "open", CALL_OPEN, 0, NONE },
    { "openat", CALL_OPEN, 1, NONE },
    { "openat2", CALL_OPEN, 1, NONE },
    { "pause", CALL_ANY_SIGNAL, NONE, NONE },
    { "poll", CALL_POLL, 0, 2 },
    { "ppoll", CALL_POLL, 0, 2 },
    { "pread64", CALL_READS, 0, NONE },
    { "preadv", CALL_READS, 0, NONE },
    { "preadv2", CALL_READS, 0, NONE },
    { "pselect6", CALL_SELECT, 0, 4 },
    { "pwrite64", CALL_WRITES, 0, NONE },
    { "pwritev", CALL_WRITES, 0, NONE },
    { "pwritev2", CALL_WRITES, 0, NONE },
    { "read", CALL_READS, 0, NONE },
    { "readv", CALL_READS, 0, NONE },
    { "recvfrom", CALL_READS, 0, NONE },
    { "recvmmsg", CALL_READS, 0, 4 },
    { "recvmsg", CALL_READS, 0, NONE },
    { "restart_syscall", CALL_RESTART, NONE, NONE },
    { "rt_sigsuspend", CALL_ANY_SIGNAL, NONE, NONE },
    { "rt_sigtimedwait", CALL_SIGNAL_SET, 0, 2 },
    { "select", CALL_SELECT, 0, 4 },
    { "semop", CALL_IPC, 0, NONE },
    { "semtimedop", CALL_IPC, 0, 3 },
    { "sendfile", CALL_WRITES, 0, NONE },
    { "sendmmsg", CALL_WRITES, 0, NONE },
    { "sendmsg", CALL_WRITES, 0, NONE },
    { "sendto", CALL_WRITES, 0, NONE },
    { "splice", CALL_MOVES, 0, NONE },
    { "sync_file_range", CALL_WRITES, 0, NONE },
    { "syncfs", CALL_WRITES, 0, NONE },
    { "tee", CALL_MOVES, 0, NONE },
    { "vfork", CALL_CLONE, NONE, NONE },
    { "vmsplice", CALL_WRITES, 0, NONE },
    { "wait4", CALL_CHILD, 0, NONE },
    { "waitid", CALL_CHILD_BY_TYPE, 0, NONE },
    { "write", CALL_WRITES, 0, NONE },
    { "writev", CALL_WRITES, 0, NONE },
};

static int compare(const void *name, const void *call)
{
    return strcmp(name, ((const struct call *)call)->name);
}

const struct call *call_find(long number)
{
    static const struct call other = { "", CALL_OTHER, NONE, NONE };
    const char *name = syscall_name(number);
    const struct call *call =
        name ? bsearch(name, calls, sizeof calls / sizeof *calls, sizeof *calls, compare) : NULL;
    return call ? call : &other;
}
