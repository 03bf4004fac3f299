/* workers.h: threads that hang or run, each in a way of its own, and a thread
 * that looks at them as the listener does. */
#ifndef SNAG_TESTS_WORKERS_H
#define SNAG_TESTS_WORKERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct worker {
    pthread_t thread;
    _Atomic pid_t tid; /* set by the thread */
    _Atomic int stop;  /* 1: it is to end */
    void (*body)(struct worker *worker);
    void *argument;
    int seed;  /* spin_with_registers: what its registers hold */
    int error; /* what its call came back with: 0 or errno */
};

/* Starts WORKER with a stack of STACK bytes (0: the default) and waits until it
 * has told its tid. */
void worker_start(struct worker *worker, void (*body)(struct worker *), void *argument,
                  size_t stack);
void worker_stop(struct worker *worker); /* ends one of the two below, and joins it */
void worker_join(struct worker *worker);

/* Waits until the thread is in state STATE of /proc/TID/stat; false after 10 s. */
bool wait_for_state(pid_t tid, char state);

/* Spins until `stop`, with rbx, rbp and r12 to r15 holding register_value(seed, 0 .. 5), between
 * the two addresses. */
void spin_with_registers(struct worker *worker);
uint64_t register_value(int seed, int number);
extern const char spin_first[], spin_last[];
#if defined(__x86_64__)
#define SPIN_HAS_REGISTERS 1
#else
#define SPIN_HAS_REGISTERS 0
#endif

/* Hangs in a futex call until worker_stop. */
void hang(struct worker *worker);

/* Runs MAIN on a thread that has a descriptor table of its own, as the listener has, and is not
 * the leader; returns what it returns. */
int run_as_listener(int (*main)(void));

/* Runs BODY in a child of fork with a listener-like thread; the exit status is 0 when
 * it returned true. False after SECONDS too. */
bool run_in_child(bool (*body)(void), int seconds);

uint64_t now_ns(void);
void sleep_ms(int ms);

#endif
