/* called.h: which function of the C library a thread waits in. */
#ifndef SNAG_WAITS_CALLED_H
#define SNAG_WAITS_CALLED_H

#include <stddef.h>
#include <stdint.h>

struct symbolizer;
struct modules;
struct thread_sample;
struct unwinder;

enum called_class {
    CALLED_UNKNOWN,
    CALLED_MUTEX,
    CALLED_READ_LOCK,  /* of a rwlock */
    CALLED_WRITE_LOCK, /* of a rwlock */
    CALLED_CONDITION,
    CALLED_SEMAPHORE,
    CALLED_BARRIER,
    CALLED_JOIN,
    CALLED_ONCE,
    CALLED_GUARD,   /* of a C++ static */
    CALLED_LIBRARY, /* what takes locks of the library's own: malloc ... */
    CALLED_SLEEP,   /* these two for calls that the kernel has begun again */
    CALLED_POLL
};

struct called {
    const char *name; /* as a program calls it */
    enum called_class class;
};

#define NAMER_KEPT 256

/* What names are found with. */
struct namer {
    struct symbolizer *symbolizer;
    const struct modules *modules;
    struct unwinder *unwinder;
    struct {
        const uint64_t *frames; /* of threads with the same stack, the same array */
        const struct called *called;
    } kept[NAMER_KEPT];
};

/* The innermost function known here that THREAD is in; NULL when none is. */
const struct called *called_find(struct namer *namer, const struct thread_sample *thread);

/* The function that frame INDEX of a stack is in, or was called as; NULL when it is not known here.
 * FRAMES as in base/stack.h. */
const struct called *called_at(const struct namer *namer, const uint64_t *frames, size_t count,
                               size_t index);

/* How many of the innermost frames are the library's that made the system call. */
size_t called_depth(const struct namer *namer, const uint64_t *frames, size_t count);

#endif
