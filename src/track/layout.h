/* layout.h: the tables of libsnag-track, as they lie in the service's memory.
 *
 * Written by service threads (track/), read by the engine or by another
 * process (sources/tracking*.c), which find `snag_track_root` in the dynamic
 * symbol table of libsnag-track and follow addresses from there. Nothing is
 * ever unmapped, so an address once read stays good. Every change here takes
 * a new TRACK_VERSION.
 *
 * An entry is written by one thread at a time: `busy` is taken by
 * compare-and-swap, `version` is odd meanwhile. Nobody waits: who finds an entry busy
 * (two threads at one descriptor number in the same few nanoseconds, or a
 * signal handler) marks it as lost, and it is not known until it is written again. A reader
 * takes an entry that was equal in two readings and has an even version.
 *
 * A child of fork has all of this as it was at that moment, and goes on with it: an
 * entry that another thread was writing is `busy` with the epoch of the parent,
 * and is taken over. */
#ifndef SNAG_TRACK_LAYOUT_H
#define SNAG_TRACK_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#define TRACK_MAGIC UINT64_C(0x6b63617274676e73) /* "sngtrack" */
#define TRACK_VERSION 2

#define TRACK_FD_CHUNK 512u
#define TRACK_FD_CHUNKS 8192u /* 4 Mi descriptors; higher ones are counted as lost */
#define TRACK_THREAD_CHUNK 256u
#define TRACK_THREAD_CHUNKS 4096u /* 1 Mi threads at a time */
#define TRACK_BAD_CLOSES 64u

/* Who did something, when. */
struct track_event {
    _Atomic uint64_t time_ns; /* CLOCK_MONOTONIC, of the coarse clock: 1 to 4 ms behind */
    _Atomic uint32_t stack;   /* a number in the pool */
    _Atomic int32_t tid;
};

enum track_state {
    TRACK_UNKNOWN, /* never seen */
    TRACK_OPEN,
    TRACK_CLOSED,
    TRACK_LOST /* written by two at once */
};

/* A descriptor number. One to a line of the cache: the chunks begin at pages. */
struct track_fd {
    _Atomic uint32_t busy;
    _Atomic uint32_t version;
    _Atomic uint32_t state;       /* enum track_state */
    _Atomic uint16_t opened_call; /* enum track_call */
    _Atomic uint16_t closed_call;
    struct track_event opened; /* the last time */
    struct track_event closed; /* the last time, before or after that */
    uint64_t unused[2];
};

_Static_assert(sizeof(struct track_fd) == 64, "one to a line of the cache");

/* A thread that is there now. Written by its creator before it begins, then by
 * that thread alone. */
struct track_thread {
    _Atomic int32_t tid; /* last to be set, first to be cleared; 0: none yet, or the slot is free */
    _Atomic uint32_t epoch;
    _Atomic uint32_t call;
    _Atomic uint32_t next_free; /* slot number plus one */
    struct track_event created;
    uint64_t start; /* what it is to do: for the thread itself */
    uint64_t argument;
    uint64_t labels; /* that it begins with, address of a struct label_slot; 0 none */
};

/* A close of a descriptor that was not open: the same two stacks come once. */
struct track_bad_close {
    _Atomic uint32_t ready; /* 1: all is written but `times`, which grows */
    _Atomic int32_t fd;     /* the first time */
    _Atomic uint64_t times;
    _Atomic uint32_t call;
    _Atomic uint32_t before_call; /* CALL_none: it is not known who closed it before */
    struct track_event closed;    /* the first time */
    struct track_event before;
};

struct track_root {
    uint64_t magic;
    uint32_t version;
    uint32_t size;          /* of this struct */
    _Atomic uint32_t epoch; /* grows with every fork that led to this process */
    _Atomic uint32_t ready; /* 1: everything below may be read */
    _Atomic uint64_t pool;  /* address of the struct stack_pool; 0: there was no memory */
    _Atomic uint64_t lost;  /* records that were not made */
    _Atomic uint64_t bad_closes;
    _Atomic uint32_t bad_close_count; /* of the list, which may still be written */
    _Atomic uint32_t thread_count;    /* slots ever used */
    _Atomic uint64_t free_thread;     /* tag << 32 | slot number plus one */
    struct track_bad_close bad_close[TRACK_BAD_CLOSES];
    _Atomic uint64_t fd_chunks[TRACK_FD_CHUNKS];         /* of struct track_fd */
    _Atomic uint64_t thread_chunks[TRACK_THREAD_CHUNKS]; /* of struct track_thread */
};

#define TRACK_ROOT_SYMBOL "snag_track_root"

#endif
