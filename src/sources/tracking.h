/* tracking.h: who opened a descriptor, who started a thread.
 *
 * libsnag-track, linked or preloaded, keeps tables of this in the service's
 * memory (src/track). They are read here like any other memory of the target,
 * so it works on another process too. Where tracking is not in the process,
 * every answer is "not known". */
#ifndef SNAG_SOURCES_TRACKING_H
#define SNAG_SOURCES_TRACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct modules;
struct target;
struct tracking;

/* Where something came from. Frames as in base/stack.h, valid until the next tracking_refresh. */
struct origin {
    const uint64_t *frames;
    size_t frame_count;
    const char *call; /* that made it: "socket", "accept4", "pthread_create" */
    pid_t tid;        /* the thread that did */
    uint64_t time_ns; /* CLOCK_MONOTONIC */
};

/* A close of a descriptor that was not open. */
struct double_close {
    int fd;
    struct origin closed; /* the failing close */
    struct origin before; /* who closed it before; frame_count 0: not known */
};

/* MODULES tells where the tables are; must outlive it. NULL without memory. */
struct tracking *tracking_new(struct target *target, const struct modules *modules);
void tracking_free(struct tracking *tracking);

/* Reads the tables as they are now. False: tracking is not in the process. */
bool tracking_refresh(struct tracking *tracking);

/* Since the last refresh. False: not known (opened before tracking was there, or by a raw system
 * call). */
bool tracking_fd(const struct tracking *tracking, int fd, struct origin *origin);
bool tracking_thread(const struct tracking *tracking, pid_t tid, struct origin *origin);

/* How many closes of descriptors that were not open there have been, and the first of them. */
uint64_t tracking_double_closes(const struct tracking *tracking, const struct double_close **list,
                                size_t *count);

/* Gives back what the last refresh read. */
void tracking_trim(struct tracking *tracking);

#endif
