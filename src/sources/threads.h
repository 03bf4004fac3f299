/* threads.h: every thread of the target, each with its stack and its state.
 *
 * The source lists the threads, captures and unwinds each, and keeps what it
 * learnt: a thread whose scheduler counters have not changed since its last
 * capture has not run, so its stack is taken from there and nothing is read. */
#ifndef SNAG_SOURCES_THREADS_H
#define SNAG_SOURCES_THREADS_H

#include "base/arena.h"
#include "capture/capture.h"
#include "sources/labels.h"
#include "sources/tracking.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target;
struct modules;
struct unwinder;

struct thread_sample {
    pid_t tid;
    char name[64]; /* comm, as it is (see sink_plain) */
    char state;    /* R S D T t Z X I, as in /proc/TID/stat; '?' unknown */
    enum capture_how how;
    const char *why; /* how == CAPTURE_PARTIAL: the reason; a constant phrase */
    bool in_syscall;
    long syscall_number; /* with in_syscall */
    uint64_t arguments[6];
    uint64_t stack_pointer; /* of the innermost frame; 0 unknown */
    struct stillness still; /* the counters at the capture ... */
    bool is_still;       /* ... were the same before and after, so the stack is that of one moment
                            and true as long as they stay so */
    bool blocked_known;  /* blocked_ns is exact; else "at least" */
    uint64_t blocked_ns; /* how long the thread has not run; 0 when it is running */
    const uint64_t *frames;   /* innermost first, see base/stack.h; in the dump's arena */
    size_t frame_count;       /* may be 0 (why says) */
    struct label_list labels; /* in the dump's arena, see thread_notes.h; as is the next */
    bool has_starter;
    struct origin starter; /* who started it, with has_starter */
};

struct thread_dump {
    struct arena arena;            /* owns all below */
    struct thread_sample *threads; /* by ascending tid */
    size_t count;
    uint64_t time_ns;      /* CLOCK_REALTIME at the start */
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC then, for ages */
    uint64_t took_ns;
    size_t by_procfs, by_signal, by_perf, partial; /* how many were captured how */
    size_t kept;                                   /* of by_procfs: proven still, not read again */
    uint64_t labels_refused;                       /* that were not set, for want of room */
    bool listed_all;    /* false: /proc/PID/task could not be read to its end */
    const char *hidden; /* why registers cannot be read here, so that blocked threads too had to be
                           asked by signal, or are partial; NULL: they can */
};

struct thread_source;

/* MODULES and UNWINDER are shared with others; all must outlive the source. */
struct thread_source *thread_source_new(struct target *target, struct modules *modules,
                                        struct unwinder *unwinder, enum signal_mode mode);
void thread_source_free(struct thread_source *source);

/* Makes one dump. 0, or a negative errno with *DUMP untouched. Takes at most BUDGET_NS for stacks:
 * threads that come after are listed as partial ("time budget used up"). */
int thread_source_dump(struct thread_source *source, uint64_t budget_ns, struct thread_dump **dump);
void thread_dump_free(struct thread_dump *dump);

/* Whether THREAD, of the last dump, has not run since it was captured. */
bool thread_source_is_still(struct thread_source *source, const struct thread_sample *thread);

/* Whether THREAD is blocked outside of a system call: in a page fault, as far as Linux lets a
 * program wait there. (What is blocked with hidden registers is not known to be, nor is a kernel
 * worker.) */
bool thread_is_in_fault(const struct thread_sample *thread);

/* How many threads there are now, the looking one left out; negative errno. */
int thread_source_count(struct thread_source *source);

/* Gives back what is kept between dumps: descriptors, stacks, rows. */
void thread_source_trim(struct thread_source *source);

/* The name of system call NUMBER on this machine ("futex"), or NULL. */
const char *syscall_name(long number);

#endif
