/* bad_closes.c: closes of descriptors that were not open.
 *
 * In a service with threads each of them may one day close somebody else's
 * descriptor. All are counted. The first are kept, with the stack that did it and
 * the one that had closed the number before; the same pair of stacks is kept once, so that
 * a loop over all numbers takes one place. */
#include "track/track.h"

static bool is_same(struct track_bad_close *kept, const struct closing *closing, uint32_t before)
{
    return atomic_load_explicit(&kept->ready, memory_order_acquire) &&
           atomic_load_explicit(&kept->closed.stack, memory_order_relaxed) == closing->now.stack &&
           atomic_load_explicit(&kept->before.stack, memory_order_relaxed) == before;
}

static void fill(struct track_bad_close *kept, const struct closing *closing)
{
    bool known = closing->had_entry && closing->state == TRACK_CLOSED;
    atomic_store_explicit(&kept->fd, closing->fd, memory_order_relaxed);
    atomic_store_explicit(&kept->call, (uint32_t)closing->call, memory_order_relaxed);
    event_store(&kept->closed, &closing->now);
    if (known) {
        atomic_store_explicit(&kept->before_call, (uint32_t)closing->closed_call,
                              memory_order_relaxed);
        event_store(&kept->before, &closing->closed);
    }
    atomic_store_explicit(&kept->times, 1, memory_order_relaxed);
    atomic_store_explicit(&kept->ready, 1, memory_order_release);
}

void bad_close_add(const struct closing *closing)
{
    struct track_root *root = &snag_track_root;
    bool known = closing->had_entry && closing->state == TRACK_CLOSED;
    uint32_t before = known ? closing->closed.stack : 0;
    uint32_t count = atomic_load_explicit(&root->bad_close_count, memory_order_acquire);
    atomic_fetch_add_explicit(&root->bad_closes, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        if (is_same(&root->bad_close[i], closing, before)) {
            atomic_fetch_add_explicit(&root->bad_close[i].times, 1, memory_order_relaxed);
            return;
        }
    }
    do {
        if (count >= TRACK_BAD_CLOSES)
            return;
    } while (!atomic_compare_exchange_weak(&root->bad_close_count, &count, count + 1));
    fill(&root->bad_close[count], closing);
}
