/* capture.h: a thread's registers and stack, taken without its help.
 *
 * A blocked thread is read from outside: /proc/PID/task/TID/syscall tells its
 * stack pointer and program counter, process_vm_readv copies its stack, and
 * the scheduler's counters, read before and after, prove that it did not run
 * meanwhile. A thread that is running on a processor is asked by SIGURG, if
 * the signal mode allows; then a call that it enters at that very moment may return
 * EINTR (poll and epoll_wait do, whatever SA_RESTART says). A running thread of another process
 * is sampled by the kernel's profiler at a timer tick, and sees nothing of it. Where the kernel
 * hides the registers of a process that is not dumpable, every thread must be asked.
 *
 * A capture belongs to one thread, and one capture at a time looks at the own process. */
#ifndef SNAG_CAPTURE_CAPTURE_H
#define SNAG_CAPTURE_CAPTURE_H

#include "base/stack.h"

#include <stdbool.h>
#include <sys/types.h>

struct target;

enum signal_mode { SIGNAL_AUTO, SIGNAL_NEVER, SIGNAL_ALWAYS }; /* as snag_signal_mode */

/* CAPTURE_PERF: at a timer tick, by the kernel's profiler. */
enum capture_how { CAPTURE_PROCFS, CAPTURE_SIGNAL, CAPTURE_PERF, CAPTURE_PARTIAL };

/* The scheduler's account of a thread: equal at two moments means it has not
 * run between them (and so its stack is the same). */
struct stillness {
    uint64_t run_ns;
    uint64_t wait_ns;
    uint64_t slices;
};

/* One thread's kept descriptor, so that asking again costs a pread. Owned by whoever lists threads;
 * see thread_files_close. All zero is "nothing kept". */
struct thread_files {
    int schedstat;  /* valid while `epoch` is the capture's */
    unsigned epoch; /* the capture drops every kept descriptor at once by counting its own on */
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
                                valid until its next call that captures */
};

struct capture;

/* A capture of TARGET (which must outlive it). MODE only matters for the own
 * process. NULL without memory. No signal handler is installed until a
 * thread must be asked. */
struct capture *capture_new(struct target *target, enum signal_mode mode);

/* The signal slots stay for ever: a late answer may still come. */
void capture_free(struct capture *capture);

/* To be called when a dump begins: looks again at what the service may have
 * changed meanwhile (its limit of descriptors, whether it is dumpable). */
void capture_begin(struct capture *capture);

/* Gives the pages of the signal slots back. */
void capture_trim(struct capture *capture);

/* One thread to take. FILES may hold a kept descriptor and gets a new one
 * while the descriptor limit allows. */
struct capture_job {
    pid_t tid;
    struct thread_files *files;
    bool waiting; /* these two are the capture's own */
    const char *why;
};

struct capture_run {
    struct capture_job *jobs;
    size_t count;
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; later ones are partial: "time budget used up" */
    void *user;           /* handed to the two below */

    /* Job INDEX is about to be asked: what that will change can still be read. */
    void (*asking)(void *user, size_t index);

    /* Called for each job, when its stack can be used: STATUS 0 and whatever could be had
     * (`how` and `why` say), or -ESRCH: the thread is gone. False: more of a live stack was read
     * (see struct stack_copy) and the thread has moved meanwhile: it is taken again, and this
     * called again. */
    bool (*taken)(void *user, size_t index, int status, const struct captured *captured);
};

/* Takes all jobs of RUN. Blocked threads are read at once; who runs is looked at again and
 * asked, as far as the mode allows, in groups that are waited for together. */
void capture_threads(struct capture *capture, struct capture_run *run);

/* Only the counters, to see whether the thread has run. 0, -ESRCH (also when the descriptor kept
 * in FILES is of a thread that is gone, whoever has its id now), or another negative errno. */
int capture_stillness(struct capture *capture, pid_t tid, struct thread_files *files,
                      struct stillness *out);

/* Whether TID has not run since CAPTURED was taken from outside. */
bool capture_is_still(struct capture *capture, pid_t tid, struct thread_files *files,
                      const struct captured *captured);

static inline bool stillness_equal(const struct stillness *a, const struct stillness *b)
{
    return a->slices == b->slices && a->run_ns == b->run_ns && a->wait_ns == b->wait_ns;
}

/* Why the kernel has hidden registers since capture_begin, so that blocked threads had to
 * be asked too or are partial; NULL: it has not. */
const char *capture_hidden(const struct capture *capture);

/* Reads the file NAME ("stat") of thread TID into TEXT, at most SIZE-1 bytes, terminated, in one
 * read. The length, or a negative errno: -ESRCH when the thread is gone. */
ssize_t capture_read_file(struct capture *capture, pid_t tid, const char *name, char *text,
                          size_t size);

/* Whether a descriptor is kept in FILES: it would tell if the thread had died. */
bool thread_files_kept(const struct capture *capture, const struct thread_files *files);
void thread_files_close(struct capture *capture, struct thread_files *files);

#endif
