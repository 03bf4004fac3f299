/* capture.h: a thread's registers and stack, taken without its help.
 *
 * A blocked thread is read from outside: /proc/PID/task/TID/syscall tells its
 * stack pointer and program counter, process_vm_readv copies its stack, and
 * the scheduler's counters, read before and after, prove that it did not run
 * meanwhile. A thread that is running on a processor is asked by SIGURG, if
 * the signal mode allows. */
#ifndef SNAG_CAPTURE_CAPTURE_H
#define SNAG_CAPTURE_CAPTURE_H

#include "base/stack.h"

#include <stdbool.h>
#include <sys/types.h>

struct target;

enum signal_mode { SIGNAL_AUTO, SIGNAL_NEVER, SIGNAL_ALWAYS }; /* as snag_signal_mode */

enum capture_how { CAPTURE_PROCFS, CAPTURE_SIGNAL, CAPTURE_PARTIAL };

/* The scheduler's account of a thread: equal at two moments means it has not
 * run between them (and so its stack is the same). */
struct stillness {
    uint64_t run_ns;
    uint64_t wait_ns;
    uint64_t slices;
};

/* One thread's kept descriptors, so that asking again costs a pread: -1 when
 * not kept. Owned by whoever lists threads; see thread_files_close. */
struct thread_files {
    int schedstat;
    int syscall;
};

struct captured {
    enum capture_how how;
    const char *why;        /* CAPTURE_PARTIAL: a constant phrase ("signal blocked"); else NULL */
    struct stillness still; /* the counters at the capture */
    bool is_still;          /* they were the same before and after: the stack is that of `still` */
    bool in_syscall;        /* syscall_number and arguments below are valid */
    long syscall_number;
    uint64_t arguments[6];
    struct stack_copy stack; /* stack.length 0 when there is none; bytes owned by the capture,
                                valid until its next capture_thread */
};

struct capture;

/* A capture of TARGET (which must outlive it). MODE only matters for the own
 * process. NULL without memory. No signal handler is installed until a running
 * thread must be asked. */
struct capture *capture_new(struct target *target, enum signal_mode mode);

/* The signal slots stay for ever: a late answer may still come. */
void capture_free(struct capture *capture);

/* Takes thread TID. FILES may hold kept descriptors and gets new ones while
 * the descriptor limit allows. Returns 0 and fills OUT (whatever could be
 * had; `how` and `why` say), or -ESRCH when the thread is gone. */
int capture_thread(struct capture *capture, pid_t tid, struct thread_files *files,
                   struct captured *out);

/* As capture_thread without the stack: only the counters, to see whether the thread has run.
 * 0, or -ESRCH. */
int capture_stillness(struct capture *capture, pid_t tid, struct thread_files *files,
                      struct stillness *out);

/* Re-copies the stack of the last capture_thread with more of it above (for frames larger than
 * the copy): up to LENGTH bytes. False when the thread has run since or no more is readable. */
bool capture_more(struct capture *capture, struct captured *captured, size_t length);

void thread_files_init(struct thread_files *files);
void thread_files_close(struct capture *capture, struct thread_files *files);

#endif
