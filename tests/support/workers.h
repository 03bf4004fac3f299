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
    _Atomic int spins; /* spin_with_registers: 1 once it does */
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

/* Waits until the thread is where spin_with_registers has brought it. */
void wait_until_it_spins(const struct worker *worker);

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

/* What a test has to do in a process of its own. */
struct scene {
    const char *name;
    bool (*play)(void); /* on a listener-like thread */
};

/* Begins the program anew to play the scene NAME. True when that returned true within SECONDS. */
bool play_scene(const char *name, int seconds);

/* For main(): plays the scene that was asked for and does not return, or returns if none was. */
void scenes_main(int count, char **arguments, const struct scene *scenes, size_t scene_count);

/* Waits for a child; true when it ended with status 0. */
bool child_succeeds(pid_t child);

/* ThreadSanitizer runs the service's signal handlers late and knows no children of fork that
 * have threads. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER 1
#endif
#endif
#ifndef UNDER_THREAD_SANITIZER
#define UNDER_THREAD_SANITIZER 0
#endif

uint64_t now_ns(void);
void sleep_ms(int ms);

#endif
