/* finder.h: the waits of one dump in the making; private to waits/.
 *
 *     waits.c        the order of things
 *     calls.c        what each system call waits on
 *     called.c       which library function made it
 *     futex.c        which kind of lock that is, by both
 *     objects.c      what the C library's lock says of its owner
 *     stopped.c      who can have no lock any more, by the kernel's word
 *     once.c         who runs an initialisation
 *     owner.c        who an owner is, and in words
 *     cycles.c       who can never go on, and the proof
 *     sets.c         poll, select, epoll
 *     other_waits.c  times, signals, children, queues
 *     file_locks.c   flock and fcntl
 *     fd_words.c     descriptors in words
 */
#ifndef SNAG_WAITS_FINDER_H
#define SNAG_WAITS_FINDER_H

#include "waits/called.h"
#include "waits/calls.h"
#include "waits/waits.h"

#include "base/sink.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUTEXES_KEPT 64

struct stack_trace;
struct thread_sample;

/* What is known of a wait only while it is being found. */
struct clue {
    uint64_t word_address; /* the word that says who is waited for; 0: there is none */
    uint64_t word;         /* as it was read ... */
    unsigned word_size;    /* ... in bytes */
    const char *what;      /* "mutex", "rwlock" */
    const char *type;      /* "recursive"; NULL */
    const char *relation;  /* of the owner to it: "held by" */
    pid_t owner_id;        /* as the target has it: it may be in a pid namespace; 0: none */
    const char *owner;     /* in words, where it is no thread of the process; NULL */
    bool shared;           /* the owner may be another process's thread */
    bool kernel_helps;     /* the kernel wakes who waits when the owner dies */
    bool stopped;          /* the C library itself will never return */
};

struct finder {
    struct target *target;
    struct namer namer;
    struct thread_source *thread_source;
    const struct thread_dump *threads;
    struct wait_set *set;
    struct clue *clues; /* one for each thread, in `scratch` */
    struct arena scratch;
    struct sink_buffer words; /* see finder_words */
    struct kept_mutex {
        uint64_t address;
        pthread_mutex_t bytes;
    } mutexes[MUTEXES_KEPT];
    struct kept_variable {
        uint64_t address;
        const char *name;
    } variables[MUTEXES_KEPT];
    char *file_locks;    /* /proc/locks, read when first needed ... */
    bool locks_read;     /* ... maybe in vain */
    int forked;          /* whether the process began by fork and not by exec; -1: not looked */
    pid_t gone_id;       /* an id, as the target has it, that is no thread's any more; 0 */
    uint64_t tid_offset; /* of the thread's id in glibc's struct pthread; 0: not looked */
};

/* The system call argument that is an int. */
static inline int int_argument(uint64_t argument)
{
    return (int)(uint32_t)argument;
}

/* FORMAT in the set's arena; "" without memory. */
__attribute__((format(printf, 2, 3))) const char *finder_text(struct finder *finder,
                                                              const char *format, ...);

/* An empty sink for words that are put together piece by piece; finder_said gives them back, in the
 * set's arena. One at a time. */
struct sink *finder_words(struct finder *finder);
const char *finder_said(struct finder *finder);

/* Walks THREAD's stack again, for where its frames lie. False: it cannot be had, or has changed. */
bool finder_walk(struct finder *finder, const struct thread_sample *thread,
                 struct stack_trace *trace);

/* Reads the word of a clue. */
bool clue_read(struct finder *finder, struct clue *clue, uint64_t address, unsigned size);

/* glibc's nptl/pthreadP.h: the kind of a mutex. */
#define KIND_TYPE 0x03
#define KIND_ROBUST 0x10
#define KIND_INHERITS 0x20
#define KIND_SHARED 0x80
#define KIND_KNOWN 0x3ff /* with the two bits of lock elision */

/* futex.c: what waits[index] is, which is blocked in futex(2). */
struct futex_call {
    uint64_t address;
    unsigned command; /* FUTEX_WAIT ... */
    bool shared;      /* between processes, by the call's flag */
    uint32_t value;
};
void futex_find(struct finder *finder, size_t index);

/* objects.c, once.c: read the lock that waits[index] is for, and say who its owner is. The is_
 * functions tell whether it is one at all, where no function's name does. */
/* The mutex at ADDRESS is what waits[index] is for; INHERITS: by the kernel's priority inheritance.
 */
void object_mutex_at(struct finder *finder, size_t index, uint64_t address, bool inherits);
bool object_is_mutex(struct finder *finder, const struct futex_call *call);
bool object_is_stdio(struct finder *finder, const struct futex_call *call);
bool object_is_joined(struct finder *finder, const struct futex_call *call);
void object_mutex(struct finder *finder, size_t index, const struct futex_call *call);
void object_rwlock(struct finder *finder, size_t index, const struct futex_call *call, bool writes);
void object_stdio(struct finder *finder, size_t index, const struct futex_call *call);
void object_joined(struct finder *finder, size_t index, const struct futex_call *call);
void object_once(struct finder *finder, size_t index, const struct futex_call *call);

/* stopped.c: a thread that the C library has parked for ever; and, when all other waits are
 * known, at which mutex. */
void stopped_find(struct finder *finder, size_t index, const struct futex_call *call);
void stopped_resolve(struct finder *finder);

/* owner.c */
/* The thread's index in the dump; SIZE_MAX. */
size_t thread_index(const struct thread_dump *threads, pid_t tid);
/* The same of ID, as the target has it. */
size_t owner_index(struct finder *finder, pid_t id);
/* ID, as the target has it, is the owner of what waits[index] is for; 0: it has none. */
void owner_set(struct finder *finder, size_t index, pid_t id);
/* The thread TID is. */
void owner_set_thread(struct finder *finder, size_t index, pid_t tid);
/* Whether the target has a thread that it calls ID now. */
bool owner_exists(struct finder *finder, pid_t id);
/* The name of process PID, in the set's arena; NULL when there is none. */
const char *process_name(struct finder *finder, pid_t pid);
/* The words of waits[index], a lock. */
void owner_name(struct finder *finder, size_t index);

/* cycles.c */
void cycles_find(struct finder *finder);

/* sets.c, other_waits.c, file_locks.c: what waits[index] is. */
void poll_find(struct finder *finder, size_t index);
void select_find(struct finder *finder, size_t index);
void sleep_find(struct finder *finder, size_t index, const struct call *call);
void signal_find(struct finder *finder, size_t index, const struct call *call);
void child_find(struct finder *finder, size_t index, const struct call *call);
void ipc_find(struct finder *finder, size_t index, const struct call *call);
void open_find(struct finder *finder, size_t index, const struct call *call);
bool frozen_is(struct finder *finder, const struct thread_sample *thread);
void fault_find(struct finder *finder, size_t index);

/* file_locks.c: whether the call of THREAD, flock or fcntl, waits for a lock; and its words. */
bool file_lock_waits(const struct thread_sample *thread);
void file_lock_name(struct finder *finder, size_t index);

/* fd_words.c: the words of waits[index], whose descriptors are known. */
void fd_name(struct finder *finder, size_t index);

#endif
