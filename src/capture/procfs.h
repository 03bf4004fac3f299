/* procfs.h: what procfs tells of one thread that capturing needs. */
#ifndef SNAG_CAPTURE_PROCFS_H
#define SNAG_CAPTURE_PROCFS_H

#include "capture/capture.h"
#include "capture/descriptors.h"

/* Which counters prove stillness on this kernel. */
enum counters {
    COUNTERS_SCHEDSTAT, /* time run, time waited, times scheduled */
    COUNTERS_SWITCHES,  /* context switches in `status`, where schedstat is missing or all zero */
    COUNTERS_NONE
};

/* Tries them on the calling thread, which has certainly run. */
enum counters procfs_choose_counters(const struct target *target);

/* Reads the counters of TID, by the descriptor kept in FILES if there is one,
 * and keeps one if it can. 0, -ESRCH, another negative errno. */
int procfs_stillness(struct descriptors *descriptors, enum counters counters, pid_t tid,
                     struct thread_files *files, struct stillness *out);

/* Their parsers: true when TEXT is what the kernel writes. */
bool procfs_parse_schedstat(const char *text, struct stillness *out);
bool procfs_parse_switches(const char *text, struct stillness *out);

/* Reads `syscall`. 0: the thread is blocked, its system call and registers are in
 * OUT (sp 0: it has no user stack); PROCFS_RUNNING; -ESRCH; or another negative errno: the
 * registers cannot be read. */
#define PROCFS_RUNNING 1
int procfs_registers(struct descriptors *descriptors, pid_t tid, struct captured *out);
int procfs_parse_registers(const char *text, struct captured *out);

/* From `status`: whether and how a thread can be asked. */
struct signal_state {
    char state;            /* S, D, Z ... */
    uint64_t blocked;      /* bit N-1: signal N is blocked */
    unsigned seccomp_mode; /* 0 none, 1 strict, 2 filtered */
    unsigned seccomp_filters;
};
int procfs_signal_state(struct descriptors *descriptors, pid_t tid, struct signal_state *out);

/* Reads TID/NAME in one read; the length, -ESRCH or another negative errno. */
ssize_t procfs_read(struct descriptors *descriptors, pid_t tid, const char *name, char *text,
                    size_t size);

#endif
