/* layout.h: labels of threads, as they lie in the service's memory.
 *
 * A thread that has labels has a slot with their text, written by that thread alone, with `version`
 * odd meanwhile. Handles outlive the labels of the thread that added them: for these a set
 * of labels is kept once, for good, and has a number (a set is made when the first handle is
 * added under it). A child of fork has the labels of the thread that forked, and no other slots.
 *
 * A thread that ends by a raw system call leaves its slot behind, and its tid comes again. So a
 * slot is believed only if it is its thread's own still: the word at `owner`, a thread-local one,
 * holds the slot's address, and the kernel has the thread's robust list at `robust`. Of a
 * later thread of that tid one of the two differs: it has either another place in memory, or the
 * same place made new.
 *
 * Written by service threads (labels/), read by the engine or another process (sources/labels.c)
 * from `snag_labels_root`. Nothing is unmapped. Every change here takes a new LABELS_VERSION. */
#ifndef SNAG_LABELS_LAYOUT_H
#define SNAG_LABELS_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#define LABELS_MAGIC UINT64_C(0x6c62616c67616e73) /* "snaglabl" */
#define LABELS_VERSION 2

#define LABELS_OF_A_THREAD 16u
#define LABEL_KEY_MAX 64u
#define LABEL_VALUE_MAX 256u

/* Text of a set: key, 0, value, 0, and so on, by ascending key. */
#define LABEL_TEXT_MAX 2000u

#define LABEL_SLOT_CHUNK 16u
#define LABEL_SLOT_CHUNKS 4096u /* 64 Ki threads with labels at a time */

struct label_slot {
    _Atomic int32_t tid; /* set last; 0: free, or not begun yet */
    _Atomic uint32_t version;
    _Atomic uint32_t next_free; /* slot number plus one; its own while it is not free */
    _Atomic uint32_t set;       /* the number of this set, once a handle needed it; 0 none yet */
    uint16_t length;            /* of the text */
    uint16_t count;             /* labels */
    uint16_t left_out;          /* labels that had no room ... */
    uint16_t inherited_out;     /* ... and how many of these had none at the thread's creator */
    uint64_t owner;             /* address of a thread-local word that holds this slot's address */
    uint64_t robust;            /* the thread's, as of get_robust_list(2); 0 not known */
    uint64_t left_out_keys;     /* a bit for each by its hash: for the writer alone */
    char text[LABEL_TEXT_MAX];
};

_Static_assert(sizeof(struct label_slot) == 2048, "whole slots to a page");

#define LABEL_SET_NONE 0u
#define LABEL_SET_OTHER 1u /* there was no room left for this set */
#define LABEL_SET_FIRST 2u
#define LABEL_SETS (1u << 14)
#define LABEL_SET_CHUNK (UINT32_C(1) << 16) /* bytes */
#define LABEL_SET_CHUNKS 64u                /* 4 MiB */

/* A set, in a chunk, at a multiple of 8 bytes. */
struct label_set {
    uint32_t hash;
    uint16_t length;
    uint8_t count;
    uint8_t left_out; /* as in a slot, at most 255 */
    char text[];
};

struct label_root {
    uint64_t magic;
    uint32_t version;
    uint32_t size;                  /* of this struct */
    _Atomic uint32_t slot_count;    /* ever used */
    _Atomic uint32_t set_count;     /* 0, or numbers given out, the two special ones too */
    _Atomic uint32_t set_bytes;     /* of the chunks given out */
    _Atomic uint32_t slots_refused; /* labels that were not set, for want of a slot */
    _Atomic uint64_t free_slot;     /* tag << 32 | slot number plus one */
    _Atomic uint64_t sets_refused;
    _Atomic uint64_t set_chunks[LABEL_SET_CHUNKS];   /* addresses */
    _Atomic uint32_t set_places[LABEL_SETS];         /* by number: byte within the chunks */
    _Atomic uint64_t slot_chunks[LABEL_SLOT_CHUNKS]; /* addresses of struct label_slot */
};

#define LABELS_ROOT_SYMBOL "snag_labels_root"

#endif
