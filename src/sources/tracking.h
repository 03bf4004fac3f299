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
    const char *call;    /* that made it: "socket", "accept4", "pthread_create" */
    pid_t tid; /* the thread that did; 0: one of a pid namespace, which has ended */
    uint64_t time_ns;    /* CLOCK_MONOTONIC, up to 4 ms behind */
    const char *partial; /* why the frames are not all there are (a constant); NULL: they are */
};

/* A close of a descriptor that was not open. */
struct double_close {
    int fd;
    uint64_t times;       /* that these same two stacks did it */
    struct origin closed; /* the failing close, the first of them */
    struct origin before; /* who closed it before; call NULL: not known */
};

/* MODULES tells where the tables are, and learns of libraries that were
 * unloaded since a stack went through them (modules_add_gone); must outlive it. NULL without
 * memory. */
struct tracking *tracking_new(struct target *target, struct modules *modules);
void tracking_free(struct tracking *tracking);

/* Whether tracking is among the modules that are known by now: looks at no more than what came
 * since the last time. */
bool tracking_is_loaded(struct tracking *tracking);

/* Reads the tables as they are now. False: tracking is not in the process. */
bool tracking_refresh(struct tracking *tracking);

/* Since the last refresh. False: not known (opened before tracking was there, or by a raw system
 * call). */
bool tracking_fd(const struct tracking *tracking, int fd, struct origin *origin);
bool tracking_thread(const struct tracking *tracking, pid_t tid, struct origin *origin);

/* Whether ORIGIN, an answer of tracking_fd, can have opened what /proc/PID/fd/N leads to
 * ("socket:[7]",
 * "/dev/null"). A number that was closed and opened again past tracking still has its former
 * opener in the tables; where the kind of descriptor differs this tells. */
bool tracking_fits(const struct origin *origin, const char *link);

/* How many closes of descriptors that were not open there have been, and the first of them. */
uint64_t tracking_double_closes(const struct tracking *tracking, const struct double_close **list,
                                size_t *count);

/* How many opens and closes could not be recorded (more descriptors than the tables hold, two
 * threads at one number in the same instant). */
uint64_t tracking_lost(const struct tracking *tracking);

/* Gives back what the last refresh read. */
void tracking_trim(struct tracking *tracking);

#endif
