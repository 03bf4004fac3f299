/* track.h: libsnag-track, which stands before the calls that make and end
 * descriptors and threads, and writes down who did it.
 *
 *     calls_*.c    the calls themselves, by shape: each does what the real one does,
 *                  and records
 *     fds.c        a table by descriptor number
 *     bad_closes.c closes of what was not open
 *     threads.c    a table of the threads that are there
 *     who.c        which thread this is, and whether it is of this process at all
 *     real.c       the real functions, next in the loader's order
 *
 * What is written is in layout.h, for readers outside. Everything here may run
 * in a signal handler: no lock is waited for, nothing is malloc'd, errno is left as it was. */
#ifndef SNAG_TRACK_TRACK_H
#define SNAG_TRACK_TRACK_H

#include "stacks/stacks.h"
#include "track/calls.h"
#include "track/layout.h"

#include <stdbool.h>
#include <stdint.h>

/* The tables; exported under this name. */
extern struct track_root snag_track_root;

/* Defines the function that stands before NAME. It has another name in C, so that whatever the
 * headers make of NAME (macros, inline functions of _FORTIFY_SOURCE) is not in the way. */
#define INTERPOSE(type, name, parameters)                                                          \
    __attribute__((visibility("default"))) type track_##name parameters __asm__(#name);            \
    type track_##name parameters

/* The function of libc, or of another preloaded library, that NAME would be without us; in a
 * function that INTERPOSE defines. */
#define REAL(name) ((__typeof__(track_##name) *)real_function(CALL_##name))

/* Its address; 0 when there is none. */
uintptr_t real_function(enum track_call call);

/* Looks all of them up. */
void real_find_all(void);

/* False before the constructor. A malloc that reads a file when it begins may come to a call of
 * ours before dlsym can be called, which uses malloc in older C libraries: those calls go to the
 * system then. */
static inline bool track_is_ready(void)
{
    return atomic_load_explicit(&snag_track_root.ready, memory_order_acquire);
}

/* The calling thread; 0 when nothing is to be recorded: before the library is
 * ready, in the listener's thread, in a child of vfork, which has the memory of its parent
 * but not its descriptors. */
int32_t who_am_i(void);

/* Before the first record. IS_OWN_THREAD tells the listener's thread, once it is that. */
void who_begin(bool (*is_own_thread)(void));

/* The calling thread gets, or has got, a descriptor table of its own: nothing is recorded of it
 * any more. */
void who_leaves(void);

/* One event of now: which stack, that of the function FRAME is of (STACK_FRAME there), and when. */
struct moment {
    uint64_t time_ns;
    uint32_t stack;
    int32_t tid;
};

/* False when nothing is to be recorded. */
bool moment_take(struct moment *moment, const void *frame);

void event_store(struct track_event *event, const struct moment *moment);
struct moment event_load(struct track_event *event);

/* FD was opened by CALL. */
void track_opened(int fd, enum track_call call, const void *frame);

/* A descriptor about to be closed, and what was known of it. */
struct closing {
    int fd;
    enum track_call call;
    bool recorded; /* `now` is set */
    bool had_entry;
    struct moment now;
    uint32_t state; /* before, enum track_state */
    enum track_call closed_call;
    struct moment closed;
};

/* Before the real close: another thread may get the number right after it. */
void track_closing(struct closing *closing, int fd, enum track_call call, const void *frame);

/* After it; NOT_OPEN: there was nothing to close. */
void track_closed(const struct closing *closing, bool not_open);

/* All from FIRST to LAST are about to be closed, or were. */
void track_closing_range(unsigned first, unsigned last, enum track_call call, const void *frame);

/* CLOSING found nothing open. */
void bad_close_add(const struct closing *closing);

/* A thread table that begins anew, in a child of fork. */
void threads_forget(void);

/* Before the first thread is created. */
void threads_begin(void);

#endif
