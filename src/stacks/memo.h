/* memo.h: walks that were done before, known by what they read. Private to stacks/. */
#ifndef SNAG_STACKS_MEMO_H
#define SNAG_STACKS_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#define TRAIL_WORDS 200
#define TRAIL_FRAME_POINTER 1u /* a bit of a place */
#define TRAIL_GUESTS 4u

/* What a walk read, as far as its result hangs on it, in the order in which it was read. */
struct trail {
    uint64_t start; /* where the walk began: the address of a record of frame pointer and return */
    uint32_t count; /* of the words below */
    bool firm;      /* the result hangs on nothing else, today and for ever, as long as the guests
                       below are there */
    uint8_t guest_count;
    uint16_t guests[TRAIL_GUESTS]; /* libraries that may be unloaded, each once (guests.h) */
    uint32_t places[TRAIL_WORDS];  /* addresses, cut to 32 bits, perhaps with TRAIL_FRAME_POINTER */
    uint64_t values[TRAIL_WORDS];
};

/* What a look found. */
struct memo_look {
    uint32_t number; /* of the stack; 0: it is not known */
    uint64_t hash;   /* where it would have been; 0: nowhere */
};

/* The number of the calling thread's stack from the record at START on, without SKIP frames, if
 * that walk was done before. */
struct memo_look memo_look(uint64_t start, unsigned skip);

/* Keeps that the walk of TRAIL, without SKIP frames, leads to NUMBER. HASH is what the look before
 * it said. Does nothing when there is no room, or the trail is not firm. */
void memo_keep(struct trail *trail, unsigned skip, uint32_t number, uint64_t hash);

#endif
