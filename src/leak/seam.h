/* seam.h: what a leak check asks of the engine; part of engine/engine.h.
 *
 * The service's side (api/leaks.c) takes a baseline by itself, which costs little and needs no
 * engine. At the end the engine lists everything, leaves out the baseline and what the rules
 * ignore, and counts or describes the rest. */
#ifndef SNAG_LEAK_SEAM_H
#define SNAG_LEAK_SEAM_H

#include <stddef.h>
#include <stdint.h>

/* A thread is the same one as long as both are. */
struct leak_thread {
    int32_t tid;
    uint64_t start; /* clock ticks since boot, field 22 of its stat */
};

/* A descriptor is the same one as long as it leads to the same. */
struct leak_fd {
    int32_t fd;
    uint64_t link; /* leak_hash of what /proc/self/fd/N reads */
};

/* FNV-1a, 64 bit (Fowler, Noll and Vo). */
static inline uint64_t leak_hash(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The one of that number among COUNT, by ascending number; NULL. */
static inline const struct leak_thread *leak_thread_find(const struct leak_thread *threads,
                                                         size_t count, int32_t tid)
{
    size_t low = 0;
    for (size_t high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (threads[middle].tid < tid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && threads[low].tid == tid ? &threads[low] : NULL;
}

static inline const struct leak_fd *leak_fd_find(const struct leak_fd *fds, size_t count,
                                                 int32_t fd)
{
    size_t low = 0;
    for (size_t high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (fds[middle].fd < fd)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && fds[low].fd == fd ? &fds[low] : NULL;
}

enum leak_list {
    LEAK_TOP,
    LEAK_ANY,
    LEAK_CREATED_BY,
    LEAK_THREAD_NAMES,
    LEAK_TARGETS,
    LEAK_INVENTORIES,
    LEAK_LISTS
};

struct leak_query {
    const struct leak_thread *threads; /* the baseline, by ascending tid */
    size_t thread_count;
    const struct leak_fd *fds; /* by ascending fd */
    size_t fd_count;
    uint64_t handles_since_ns; /* CLOCK_MONOTONIC: handles added before are of the baseline */
    int32_t caller;            /* the thread that asks */
    unsigned what;             /* SNAG_LEAK_* */
    const char *const *ignore[LEAK_LISTS]; /* each ended by NULL, or NULL */
    int report;                            /* 1: also describe them, in the request's bytes */

    size_t leaked_threads; /* the answer */
    size_t leaked_fds;
    size_t leaked_handles;
};

#endif
