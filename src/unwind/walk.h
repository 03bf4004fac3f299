/* walk.h: one stack being walked; private to unwind/.
 *
 *     unwind.c   the unwinder, and the rules it keeps
 *     walk.c     frame after frame by the rules
 *     recover.c  the frame pointer, where the walk cannot go on without it
 */
#ifndef SNAG_UNWIND_WALK_H
#define SNAG_UNWIND_WALK_H

#include "unwind/code.h"
#include "unwind/rule.h"
#include "unwind/unwind.h"

struct probe;

#define SIDE_PAGES 4

/* The thread's registers at one frame. */
struct frame {
    uint64_t ip;
    uint64_t sp;
    uint64_t saved[SAVED_COUNT];
    unsigned known; /* bit 1<<SAVED_x */
    bool exact;     /* ip is the instruction itself, not a return address */
    bool signal;    /* the return from a signal handler: the next frame was interrupted */
};

/* The frames found so far, and how well they hang together. */
struct path {
    uint64_t frames[FRAMES_MAX];
    uint64_t sps[FRAMES_MAX];
    size_t count;
    bool complete;           /* the outermost frame was reached ... */
    uint64_t top;            /* ... and its stack pointer was this */
    bool trial;              /* a frame pointer is being tried: no other is recovered on the way */
    unsigned mismatches;     /* how many of the callers below are misfits */
    bool misfit[FRAMES_MAX]; /* of a trial: this caller called, by the code before its return
                                address, another function than the frame below it is of */
    bool proven[FRAMES_MAX]; /* of a trial: it called just that one */
    const char *partial;     /* why the walk was not by tables alone, or ended early */
};

struct unwinder {
    struct target *target;
    const struct modules *modules;
    struct code code;
    struct probe *probe;
    struct rule_table rules;
    uint64_t generation; /* of the modules that the rules are about */

    /* The walk that is going on. */
    const struct stack_copy *copy;
    struct side_page { /* stack memory outside the copy, read in this walk */
        uint64_t address;
        size_t length;
        unsigned char bytes[CODE_PAGE];
    } side[SIDE_PAGES];
    size_t side_next;
    bool ran_off;
    bool read_outside;
    struct path main, trial, best;
};

/* The rule for ADDRESS (see frame_lookup); NULL when it lies in no module or
 * without memory. Valid until the next unwinder_rule. */
struct rule *unwinder_rule(struct unwinder *unwinder, uint64_t address);

/* The word at ADDRESS of the thread's stack: from the copy, or from the target
 * where the copy is live. */
bool stack_word(struct unwinder *unwinder, uint64_t address, uint64_t *word);

/* Fills rule->frame_size and rule->frame_limit from the function's instructions. */
void read_frame_size(struct unwinder *unwinder, struct rule *rule);

/* Walks from FRAME to the outermost one, adding to PATH. */
void walk_on(struct unwinder *unwinder, struct frame frame, struct path *path);

/* FRAME needs its frame pointer to be undone and nobody knows it: finds the
 * value with which the walk reaches the outermost frame, and appends that walk to PATH. RULE
 * is a copy of the frame's. */
void recover_frame_pointer(struct unwinder *unwinder, const struct frame *frame,
                           const struct rule *rule, struct path *path);

#endif
