/* track.c: the tables, and the start of libsnag-track; see track.h.
 *
 * Calls that come before the constructor (of a library that is initialised
 * earlier) are done and not recorded. */
#include "track/track.h"

#include "api/inside.h"
#include "track/handles.h"

#include <errno.h>
#include <time.h>

__attribute__((visibility("default"))) struct track_root snag_track_root;

static const struct snag_inside *inside;

__attribute__((constructor)) static void begin(void)
{
    real_find_all();
    inside = snag_inside();
    if (inside->abi != INSIDE_ABI)
        return; /* of another version: nothing is recorded */
    who_begin(inside->is_own_thread);
    threads_begin();
    handles_find_own((uintptr_t)inside);
    handles_begin();
    struct track_root *root = &snag_track_root;
    root->magic = TRACK_MAGIC;
    root->version = TRACK_VERSION;
    root->size = sizeof *root;
    atomic_store(&root->epoch, 1);
    atomic_store(&root->pool, (uint64_t)(uintptr_t)inside->stack_pool());
    atomic_store(&root->ready, 1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

bool moment_take(struct moment *moment, const void *frame)
{
    int before = errno;
    moment->tid = track_is_ready() ? who_am_i() : 0;
    if (moment->tid != 0) {
        moment->stack = inside->stack_number(frame, 0);
        moment->time_ns = now_ns();
    }
    errno = before;
    return moment->tid != 0;
}

/* release: whoever sees a part of it sees the odd version before it, too. */
void event_store(struct track_event *event, const struct moment *moment)
{
    atomic_store_explicit(&event->time_ns, moment->time_ns, memory_order_release);
    atomic_store_explicit(&event->stack, moment->stack, memory_order_release);
    atomic_store_explicit(&event->tid, moment->tid, memory_order_release);
}

struct moment event_load(struct track_event *event)
{
    return (struct moment){
        .time_ns = atomic_load_explicit(&event->time_ns, memory_order_relaxed),
        .stack = atomic_load_explicit(&event->stack, memory_order_relaxed),
        .tid = atomic_load_explicit(&event->tid, memory_order_relaxed),
    };
}
