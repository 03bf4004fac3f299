/* truth.h: what a thread knows of its own stack, to hold a dump against.
 *
 * A way is a function that blocks (or spins). Right before it does, it calls
 * truth_mark(), which records the return addresses of all its callers by libgcc's
 * _Unwind_Backtrace: another unwinder than snag's, in the thread itself, with all registers at
 * hand. From the way's caller up to the outermost frame, the dump must say the same. */
#ifndef SNAG_TESTS_TRUTH_H
#define SNAG_TESTS_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRUTH_FRAMES 600
#define NOINLINE __attribute__((noinline, noclone))
#if defined(__clang__)
#undef NOINLINE
#define NOINLINE __attribute__((noinline))
#endif

/* Keeps a call from becoming a jump: the frame stays. */
#define STAY() __asm__ volatile("" ::: "memory")

enum way_stack { STACK_USUAL, STACK_SMALLEST, STACK_IN_HEAP, STACK_IN_BSS };

struct way {
    const char *name;
    void (*block)(void);
    unsigned below; /* most frames below the way's own: libc's on the way to the kernel */
    enum way_stack stack;
};

/* Tables of ways, each ended by a row without a name. */
extern const struct way ways_io[], ways_locks[], ways_signals[], ways_frames[], ways_cpp[];

/* Records the calling thread's truth. The caller must block in the same function afterwards. */
void truth_mark(void);

/* The way is not to be had on this machine; does not return. */
__attribute__((noreturn)) void truth_skip(const char *why);

/* Where one thread stands; `marked` last. */
struct truth {
    const struct way *way;
    pid_t tid;
    unsigned kind;
    int marked;          /* atomic: the rest is set */
    int returned;        /* atomic: the way came back, which it should not */
    const char *skipped; /* why, or NULL */
    uint64_t own;        /* in the way's own function, behind the call of truth_mark */
    size_t count;
    uint64_t frames[TRUTH_FRAMES]; /* the way's caller first */
};

/* The calling thread's; set before its way is called. */
void truth_belongs_to(struct truth *truth);

/* Has a std::thread block; the record is TRUTH. */
void start_std_thread(struct truth *truth);

/* What is the same in every way's setting. */
struct scene {
    int empty_pipe[2]; /* nothing is ever written */
    int full_pipe[2];  /* nothing more can be written */
    int never_ready;   /* a socket nobody writes to */
    int queue;         /* System V objects outlive a process: scene_end removes them */
    int semaphores[2];
};
extern struct scene scene;
void scene_set(void);
void scene_end(void);

/* A child that only waits and dies with the calling thread; its pid. */
pid_t scene_child(void);

#ifdef __cplusplus
}
#endif

#endif
