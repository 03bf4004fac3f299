/* clang-format off: the drawing is to be kept */
/* slot.h: what the asking thread and the signal handler share.
 *
 * A slot is bound to one thread from the asking until that thread has
 * answered or is gone. Its word holds a generation and a state; every change of hands is
 * one compare-and-swap of the whole word:
 *
 *     asker                          handler, in the thread asked
 *     FREE      -- ask --------->    ASKED
 *     ASKED                          -- claim -------->    CLAIMED
 *     CLAIMED                        -- copied ------->    ANSWERED
 *     ANSWERED  -- collect ----->    FREE
 *     ASKED     -- give up ----->    GIVEN_UP
 *     GIVEN_UP                       -- too late ----->    ANSWERED (nothing is copied)
 *     GIVEN_UP  -- ask again --->    ASKED (the same thread, next generation)
 *
 * To give up on a slot that was just claimed is in vain: its answer is taken.
 * The fields below the word belong to the handler while the state is CLAIMED, and to the asker
 * while it is FREE or ANSWERED. The table is never unmapped and its slots are
 * never moved: a signal may be handled at any later time. */
/* clang-format on */
#ifndef SNAG_CAPTURE_SLOT_H
#define SNAG_CAPTURE_SLOT_H

#include "base/stack.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

#define SLOT_COUNT 64
#define SLOT_BYTES ((size_t)64 << 10)

enum slot_state { SLOT_FREE, SLOT_ASKED, SLOT_CLAIMED, SLOT_ANSWERED, SLOT_GIVEN_UP };

static inline uint64_t slot_word(uint32_t generation, enum slot_state state)
{
    return (uint64_t)generation << 8 | (uint64_t)state;
}

static inline enum slot_state slot_state_of(uint64_t word)
{
    return (enum slot_state)(word & 0xff);
}

static inline uint32_t slot_generation_of(uint64_t word)
{
    return (uint32_t)(word >> 8);
}

/* A readable mapping, for handlers that must copy by plain loads. */
struct readable {
    uint64_t start;
    uint64_t end;
};

struct readable_list { /* never freed once a handler may have seen it */
    size_t count;
    struct readable ranges[]; /* by address */
};

struct ask_slot {
    _Atomic uint64_t word;
    _Atomic pid_t tid;
    /* Not NULL: the thread must make no system call (it is filtered, or process_vm_readv is
     * refused); it finds the end of its stack here. */
    _Atomic(const struct readable_list *) plain;
    /* Where the kernel copies: the mappings, since what lies above a stack may be memory that
     * nobody ever brings, and the thread would hang in it; NULL: not known. */
    _Atomic(const struct readable_list *) bound;

    struct registers registers;
    uint64_t low;
    size_t length;
    unsigned char *bytes; /* SLOT_BYTES, the slot's for ever */
};

/* What a signal that is not ours is handed on to: an address, and two bits above any address. */
#define PREVIOUS_NONE UINT64_C(0)
#define PREVIOUS_UNSET UINT64_MAX
#define PREVIOUS_SIGINFO (UINT64_C(1) << 63) /* takes three arguments */
#define PREVIOUS_ONCE (UINT64_C(1) << 62)    /* SA_RESETHAND: called once */

struct ask_table {
    _Atomic pid_t pid;     /* whose threads are asked; a child of fork has a copy of all this */
    uint64_t magic;        /* of cookies: 64 random bits */
    _Atomic int asked;     /* slots in state ASKED; 0: a signal is none of ours */
    _Atomic uint32_t done; /* counts answers; a futex */

    /* The service's handlers: the one that was there before ours, and the latest found in our place
     * (UNSET: none), which is to call what it found there, that is ours, or not, as it likes. */
    _Atomic uint64_t below;
    _Atomic uint64_t above;

    struct ask_slot slots[SLOT_COUNT];
};

/* Set once, before the handler is installed. */
extern _Atomic(struct ask_table *) ask_table;

/* The cookie in si_value: slot and generation, veiled. */
static inline uint64_t cookie_make(uint64_t magic, unsigned slot, uint32_t generation)
{
    return magic ^ ((uint64_t)slot << 32 | generation);
}

static inline uint64_t cookie_slot(uint64_t magic, uint64_t cookie)
{
    return (cookie ^ magic) >> 32;
}

static inline uint32_t cookie_generation(uint64_t magic, uint64_t cookie)
{
    return (uint32_t)(cookie ^ magic);
}

/* For rt_sigaction. */
void ask_handler(int number, siginfo_t *info, void *context);
void ask_restorer(void);

#endif
