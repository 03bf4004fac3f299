/* stuck.h: what is stuck in a process, as findings for a person, the worst first.
 *
 * A finding is one sentence with its figures, and the threads and descriptors that it is
 * about. What counts as stuck, and after how long, is written down in rules.h. */
#ifndef SNAG_STUCK_STUCK_H
#define SNAG_STUCK_STUCK_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fd_dump;
struct origin;
struct symbolizer;
struct thread_dump;
struct tracking;
struct wait_set;

/* In the order in which they are told. */
enum finding_kind {
    FINDING_DEADLOCK,
    FINDING_LOST_LOCK, /* its owner is gone, or the kernel refuses it for ever */
    FINDING_FDS_OUT,   /* the descriptor table is nearly full */
    FINDING_BEHIND,    /* threads behind a lock whose holder does not give it back */
    FINDING_BLOCKED,   /* threads that have waited long for one thing outside */
    FINDING_CLOSE_WAIT,
    FINDING_UNREAD,       /* bytes that arrived and that nobody has read for long */
    FINDING_FDS_MANY,     /* the descriptor table fills up */
    FINDING_GROWING,      /* something becomes more as no load does */
    FINDING_DOUBLE_CLOSE, /* descriptors closed that were not open */
    FINDING_KINDS
};

struct finding {
    enum finding_kind kind;
    const char *sentence;  /* in words, without a full stop */
    const size_t *threads; /* indexes in the thread dump, longest blocked first */
    size_t thread_count;
    const int *fds;
    size_t fd_count;
    size_t holder;               /* index of the thread that holds the lock; SIZE_MAX: none known */
    size_t cycle;                /* number of the deadlock; SIZE_MAX */
    uint64_t longest_ns;         /* how long the first of the threads has been so; 0 without */
    uint64_t bytes;              /* unread, in all of the descriptors */
    uint64_t times;              /* FINDING_DOUBLE_CLOSE: how many */
    const struct origin *opener; /* of all of the descriptors; NULL: different or not known */
};

struct stuck_list {
    struct arena arena;             /* owns all below */
    const struct finding *findings; /* the worst first */
    size_t count;
};

/* Something that grows, as the monitor has seen it. */
struct stuck_growing {
    bool is_leak; /* as no load does; else it may be a warm-up or a busy hour, and is no finding */
    char sentence[400];
};

/* What a diagnosis is made from; FDS may be NULL. */
struct stuck_facts {
    const struct thread_dump *threads;
    const struct wait_set *waits;
    const struct fd_dump *fds;
    struct tracking *tracking; /* NULL without */
    struct symbolizer *symbolizer;
    const struct stuck_growing *growing;
    size_t growing_count;
};

/* Remembers sockets from one diagnosis to the next: how long they have been as they are. */
struct stuck_memory;

struct stuck_memory *stuck_memory_new(void);
void stuck_memory_free(struct stuck_memory *memory);

/* The findings. NULL without memory. FACTS must outlive the list. */
struct stuck_list *stuck_find(struct stuck_memory *memory, const struct stuck_facts *facts);
void stuck_free(struct stuck_list *list);

/* "deadlock", "lost-lock", "descriptors" ...: for scripts. */
const char *finding_word(enum finding_kind kind);

#endif
