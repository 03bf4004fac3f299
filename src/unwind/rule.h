/* rule.h: how one frame is undone: a row of an unwind table, in short form.
 *
 * For a given code address the row is always the same: where the caller's
 * stack pointer is (the canonical frame address, CFA), and where each register
 * was saved. A term says one of these places relative to a register or to
 * the CFA. The table of rules is filled once per address (probe.c) and looked up by every
 * walk (walk.c). */
#ifndef SNAG_UNWIND_RULE_H
#define SNAG_UNWIND_RULE_H

#include "base/stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a term counts from: one of enum saved_register, or: */
#define BASE_SP SAVED_COUNT
#define BASE_CFA (SAVED_COUNT + 1)
#define BASE_OTHER (SAVED_COUNT + 2) /* a register that no capture tells */

enum term_kind {
    TERM_SAME,  /* the register was not touched */
    TERM_LOST,  /* it cannot be had any more */
    TERM_VALUE, /* base + offset */
    TERM_AT     /* what is stored at base + offset */
};

struct term {
    uint8_t kind;
    uint8_t base;
    int32_t offset;
};

enum rule_kind {
    RULE_STEP, /* the terms below lead to the caller */
    RULE_END,  /* the outermost frame: its caller is marked undefined */
    RULE_NONE, /* no table covers the address (JIT code, hand-written assembly) */
    RULE_BAD   /* there is a table, and it cannot be followed */
};

enum call_kind {
    CALL_UNREAD,   /* not looked at yet */
    CALL_NONE,     /* what stands before the address is no call */
    CALL_DIRECT,   /* a call of `call_target` */
    CALL_INDIRECT, /* a call through a register or memory */
    CALL_SIGNAL    /* none, but the return from a signal handler comes next */
};

enum tail_calls { TAIL_UNREAD, TAIL_NONE, TAIL_POSSIBLE };

#define FRAME_SIZE_UNREAD (-2)
#define FRAME_SIZE_UNKNOWN (-1)

struct rule {
    uint64_t address; /* looked up by: inside the instruction, see frame_lookup() */
    uint8_t kind;
    uint8_t call;         /* enum call_kind: what ends at address + 1 */
    uint8_t tail_calls;   /* enum tail_calls: whether the function may end in somebody else's */
    bool cfa_loads;       /* the CFA is what is stored at the term, plus cfa_add */
    int32_t cfa_add;      /* 0 unless cfa_loads */
    int32_t frame_size;   /* the least there is from the frame pointer down to the stack pointer */
    size_t frame_limit;   /* the most it can be; SIZE_MAX: unbounded. Read with frame_size */
    uint64_t start;       /* of the function, 0 unknown */
    uint64_t end;         /* one past its last byte */
    uint64_t call_target; /* with CALL_DIRECT: through the PLT, the function itself */
    struct term cfa;      /* TERM_VALUE */
    struct term caller;   /* the return address */
    struct term saved[SAVED_COUNT];
};

struct rule_table {
    struct rule *slots; /* open addressing, address 0 is free */
    size_t count;
    size_t capacity;
};

/* The rule kept for ADDRESS, or NULL. */
struct rule *rule_find(const struct rule_table *table, uint64_t address);

/* Room for a rule of ADDRESS, which must not be there yet; only `address` is
 * set. NULL without memory. Valid until the next rule_add. */
struct rule *rule_add(struct rule_table *table, uint64_t address);

void rule_table_free(struct rule_table *table);

#endif
