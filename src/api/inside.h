/* inside.h: what libsnag lends to the other libraries of snag.
 *
 * libsnag-track and libsnag-preload are loaded beside libsnag and use its
 * stacks, its labels and its listener. They come through this one door, which is no part
 * of the public interface: it may change with every version, and says so. */
#ifndef SNAG_API_INSIDE_H
#define SNAG_API_INSIDE_H

#include "labels/labels.h"
#include "stacks/stacks.h"

#include <snag/snag.h>

#include <stdbool.h>

#define INSIDE_ABI 3

struct snag_inside {
    int abi;
    /* Whether the calling thread is the listener's, whose descriptors are its own. */
    bool (*is_own_thread)(void);
    /* As in stacks/stacks.h. */
    struct stack_walk (*stack_here)(const void *frame, unsigned skip, uint64_t *frames, size_t max);
    uint32_t (*stack_number)(const void *frame, unsigned skip);
    const struct stack_pool *(*stack_pool)(void);
    /* As in labels/labels.h. */
    struct label_slot *(*labels_for_thread)(void);
    void (*labels_begin)(struct label_slot *slot);
    void (*labels_unused)(struct label_slot *slot);
    /* snag_start with what VARIABLE tells instead of the environment, which another thread may be
     * changing. Lines go to LOG. */
    int (*start_from)(const char *(*variable)(const char *name),
                      void (*log)(const char *line, void *user));
    /* A thread of snag's that nobody joins, with all signals blocked. 0 or a negative errno. */
    int (*quiet_thread)(size_t stack_size, void *(*function)(void *), void *argument);
};

SNAG_API const struct snag_inside *snag_inside(void);

#endif
