/* ask.h: threads asked by signal for their registers and stack. */
#ifndef SNAG_CAPTURE_ASK_H
#define SNAG_CAPTURE_ASK_H

#include "capture/capture.h"

struct descriptors;
struct readable_list;
struct target;

struct asker {
    struct target *target;
    struct descriptors *descriptors;
    struct readable_list *readable; /* for slots that are asked now; NULL until needed */
    struct readable_list *bounds;   /* the same, perhaps a little older, for those that the kernel
                                       copies; NULL until needed */
    uint64_t bounds_ns;             /* CLOCK_MONOTONIC when they were read ... */
    uint64_t bounds_cost_ns;        /* ... and what that took */
};

#define ASK_BATCH 32

struct ask_question {
    pid_t tid;
    struct captured out; /* in: partial, with a reason; improved when the thread answers. Its
                            stack is valid until the next ask_threads. */
    int status;          /* 0, -ESRCH, or one of: */
};

#define ASK_LOOK_AGAIN 1 /* it was blocked when it was to be asked */
#define ASK_SILENT 2     /* it was asked, and has not answered */

/* Asks COUNT threads, at most ASK_BATCH, all together, and waits as long as
 * answers keep coming, but not beyond DEADLINE_NS (CLOCK_MONOTONIC). ONLY_RUNNING: a
 * thread that is found blocked is left alone and gets the status ASK_LOOK_AGAIN. */
void ask_threads(struct asker *asker, struct ask_question *questions, size_t count,
                 bool only_running, uint64_t deadline_ns);

/* Gives the pages of free slots back. */
void ask_trim(void);

void asker_free(struct asker *asker);

#endif
