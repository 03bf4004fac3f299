/* memo.c: walks that were done before; see memo.h.
 *
 * A walk is slow because each step waits for the one before: a return address is read, its step
 * looked up, and only then is it known where the next one lies. But a walk is a function
 * of where it begins and of the words it reads; everything else (the steps of code that is never
 * unloaded) is the same for ever. Of code that may be unloaded it is asked whether it is the same
 * library, once for all its frames. So if at the places that an earlier walk from here read there
 * are the words that it read, then this walk would read the same words at the same places, and end
 * in the same stack, whose number is known. That needs no steps, and none of the words waits for
 * another.
 *
 * Places are kept from the walk's start on, and so are frame pointers that were used: a step
 * adds constants to what it was given, so a stack elsewhere with the same words is the same
 * walk moved. All threads share what one has found.
 *
 * Only what the walk itself would read is read, and so it is there (reach.c): the words are looked
 * at in the walk's order, and the walk reads a word if those before it are the same. They are
 * looked at in groups of four, without a branch in between; the words of a group lie on one page,
 * so whoever may read the first may read them all. Pages are the same if the start is at the same
 * place in its own, which belongs to the key. And none is read beyond what this thread has proven.
 *
 *     index   by a hash of start and first return address: the memo of one walk. Where a word
 *             differs from that one's, the search goes on by what is there instead, and what
 *             two steps from it lead to: as in a trie whose edges are such words.
 *
 * Nothing is ever changed or taken out, as in the pool, so a reader needs no lock and no second
 * look. Bounded: 16 Ki walks, 4 MiB of memos, and nothing is kept that did not come twice. */
#include "stacks/memo.h"

#include "stacks/guests.h"
#include "stacks/reach.h"
#include "stacks/step.h"
#include "stacks/step_table.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

/* The sanitizers would take the reading of other frames for a bug. */
#define UNCHECKED __attribute__((no_sanitize("address", "thread", "undefined")))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#define GROUP 4u
#define INDEX_BITS 15
#define INDEX_SIZE (UINT32_C(1) << INDEX_BITS)
#define PROBES 16u /* slots in a row for one hash */
#define TURNS 6u   /* memos that one look compares with */
#define STEPS 2    /* from a word that differs */
#define CHUNK_BYTES ((uint32_t)256 << 10)
#define CHUNKS 16u
#define LINE 64u
#define SKIP_MAX 255u
#define ADDRESS_BITS 48

/* Words of one page and one kind. Each place is one more than it is if they are frame pointers. */
struct group {
    uint64_t values[GROUP];
    uint32_t places[GROUP];
};

struct memo {
    uint32_t number;
    uint32_t top; /* no place is read at or above this */
    uint32_t key; /* of the start: its place in its page, and what is skipped */
    uint16_t groups;
    bool frame_pointers; /* there are such groups */
    uint8_t guest_count; /* their numbers follow the groups */
    struct group group[];
};

/* By hash: its upper bits above the address of a memo; 0 free. */
static _Atomic uint64_t index_slots[INDEX_SIZE];
static _Atomic uint32_t memo_count;
static _Atomic uint32_t bytes_used;
static _Atomic(unsigned char *) chunks[CHUNKS];

static inline uint64_t mix(uint64_t hash)
{
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static inline uint32_t key_of(uint64_t start, unsigned skip)
{
    return (uint32_t)(start % REACH_PAGE) | skip << 16;
}

UNCHECKED static inline uint64_t word_at(uint64_t address)
{
    return *(const volatile uint64_t *)(uintptr_t)address;
}

/* What is at the I-th place of GROUP, in the way in which it is kept. */
UNCHECKED static inline __attribute__((always_inline)) uint64_t value_at(const struct group *group,
                                                                         unsigned i, uint64_t start)
{
    uint64_t is_frame_pointer = group->places[0] & TRAIL_FRAME_POINTER;
    uint64_t value = word_at(start - is_frame_pointer + group->places[i]);
    return value - (start & (0 - is_frame_pointer));
}

UNCHECKED static inline __attribute__((always_inline)) uint64_t
difference_at(const struct group *group, unsigned i, uint64_t start, bool frame_pointers)
{
    uint64_t is = frame_pointers ? value_at(group, i, start) : word_at(start + group->places[i]);
    return is ^ group->values[i];
}

/* Whether a word of GROUP is not there. FRAME_POINTERS: it may be of these. */
UNCHECKED static inline __attribute__((always_inline)) bool
differs(const struct group *group, uint64_t start, bool frame_pointers)
{
    uint64_t first = difference_at(group, 0, start, frame_pointers) |
                     difference_at(group, 1, start, frame_pointers);
    uint64_t second = difference_at(group, 2, start, frame_pointers) |
                      difference_at(group, 3, start, frame_pointers);
    return UNLIKELY((first | second) != 0);
}

/* The first group of MEMO with a word that is not there; NULL when all are. */
UNCHECKED static inline __attribute__((always_inline)) const struct group *
difference(const struct memo *memo, uint64_t start)
{
    const struct group *group = memo->group;
    const struct group *end = group + memo->groups;
    if (memo->frame_pointers) {
        while (group < end && !differs(group, start, true))
            group++;
    } else {
        while (group < end && !differs(group, start, false))
            group++;
    }
    return group < end ? group : NULL;
}

/* The same for a memo of which a part lies beyond ROOM; NULL when all are that do not. */
UNCHECKED static __attribute__((noinline)) const struct group *
difference_within(const struct memo *memo, uint64_t start, uint64_t room)
{
    const struct group *end = memo->group + memo->groups;
    for (const struct group *group = memo->group; group < end; group++) {
        for (unsigned i = 0; i < GROUP; i++)
            if (group->places[i] + sizeof(uint64_t) > room)
                return NULL;
        if (differs(group, start, true))
            return group;
    }
    return NULL;
}

/* Where to look next: by the first word of GROUP that is not there, and what follows it on the same
 * page. */
UNCHECKED static __attribute__((noinline)) uint64_t turn(const struct group *group, uint64_t start,
                                                         uint64_t hash)
{
    unsigned i = 0;
    while (i < GROUP - 1 && value_at(group, i, start) == group->values[i])
        i++;
    uint64_t place = start + group->places[i];
    uint64_t page = place / REACH_PAGE;
    uint64_t is = value_at(group, i, start);
    hash = mix(hash ^ (is + group->places[i]));
    for (int steps = 0; steps < STEPS; steps++) {
        uint64_t step = step_find(is); /* of a frame pointer there is none */
        place += (uint64_t)step_distance(step);
        if (step_kind(step) != STEP_PLAIN || step & STEP_FROM_BP || place / REACH_PAGE != page)
            break;
        is = word_at(place);
        hash = mix(hash ^ is);
    }
    return hash;
}

/* The memo at HASH, or NULL. */
static inline const struct memo *find(uint64_t hash)
{
    uint32_t at = (uint32_t)hash % INDEX_SIZE;
    for (uint32_t i = 0; i < PROBES; i++) {
        /* acquire: what it leads to is read */
        uint64_t slot =
            atomic_load_explicit(&index_slots[(at + i) % INDEX_SIZE], memory_order_acquire);
        if ((slot ^ hash) >> ADDRESS_BITS == 0)
            return (const struct memo *)(uintptr_t)(slot << 16 >> 16);
        if (slot == 0)
            break;
    }
    return NULL;
}

static __attribute__((noinline)) bool guests_are_there(const struct memo *memo)
{
    const uint16_t *guests = (const uint16_t *)(memo->group + memo->groups);
    for (unsigned i = 0; i < memo->guest_count; i++)
        if (!guest_is_there(guests[i]))
            return false;
    return true;
}

enum outcome { SAME, DIFFERENT, NOT_TO_BE_COMPARED };

/* Sets *GROUP if it is DIFFERENT. */
UNCHECKED static inline __attribute__((always_inline)) enum outcome
compare(const struct memo *memo, uint64_t start, uint64_t room, uint32_t key,
        const struct group **group)
{
    bool is_within = memo->top <= room;
    if (UNLIKELY(memo->key != key))
        return NOT_TO_BE_COMPARED;
    *group = LIKELY(is_within) ? difference(memo, start) : difference_within(memo, start, room);
    if (UNLIKELY(*group != NULL))
        return DIFFERENT;
    if (UNLIKELY(memo->guest_count > 0) && !guests_are_there(memo))
        return NOT_TO_BE_COMPARED;
    return is_within ? SAME : NOT_TO_BE_COMPARED;
}

/* Goes on where GROUP of the memo at HASH was not there. */
UNCHECKED static __attribute__((noinline)) struct memo_look
look_on(const struct group *group, uint64_t start, uint64_t room, uint32_t key, uint64_t hash)
{
    enum outcome outcome = DIFFERENT;
    for (unsigned turns = 1; turns < TURNS && outcome == DIFFERENT; turns++) {
        hash = turn(group, start, hash);
        const struct memo *memo = find(hash);
        if (!memo)
            return (struct memo_look){ .hash = hash };
        outcome = compare(memo, start, room, key, &group);
        if (outcome == SAME)
            return (struct memo_look){ .number = memo->number };
    }
    return (struct memo_look){ .hash = 0 };
}

UNCHECKED struct memo_look memo_look(uint64_t start, unsigned skip)
{
    uint64_t room = reach_known_above(start);
    uint32_t key = key_of(start, skip);
    uint64_t hash = mix(key ^ word_at(start + 8) << 16);
    const struct memo *memo = find(hash);
    const struct group *group;
    if (!memo)
        return (struct memo_look){ .hash = hash };
    switch (compare(memo, start, room, key, &group)) {
    case SAME: return (struct memo_look){ .number = memo->number };
    case DIFFERENT: return look_on(group, start, room, key, hash);
    default: return (struct memo_look){ .hash = 0 };
    }
}

static unsigned char *chunk_of(uint32_t number)
{
    unsigned char *chunk = atomic_load_explicit(&chunks[number], memory_order_acquire);
    if (chunk)
        return chunk;
    void *made =
        mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    if (atomic_compare_exchange_strong(&chunks[number], &chunk, made))
        return made;
    munmap(made, CHUNK_BYTES); /* another thread was first */
    return chunk;
}

/* SIZE bytes; NULL when there are no more. */
static void *take(size_t size)
{
    uint32_t used = atomic_load_explicit(&bytes_used, memory_order_relaxed);
    uint32_t place;
    do {
        place = used;
        if (used % CHUNK_BYTES + size > CHUNK_BYTES)
            place = (used / CHUNK_BYTES + 1) * CHUNK_BYTES;
        if (place + size > CHUNKS * CHUNK_BYTES)
            return NULL;
    } while (!atomic_compare_exchange_weak(&bytes_used, &used, place + (uint32_t)size));
    unsigned char *chunk = chunk_of(place / CHUNK_BYTES);
    return chunk ? chunk + place % CHUNK_BYTES : NULL;
}

static uint64_t page_of(const struct trail *trail, uint32_t at)
{
    return (trail->start + trail->places[at]) / REACH_PAGE;
}

/* Puts the words of TRAIL from FROM up to TO that are of KIND into groups, behind the COUNT that
 * there are; returns how many there are then. What is free of the last one holds its first
 * word, too. GROUPS NULL: it counts only. */
static uint32_t fill_kind(struct group *groups, uint32_t count, const struct trail *trail,
                          uint32_t from, uint32_t to, uint32_t kind)
{
    unsigned filled = 0;
    for (uint32_t at = from; at < to; at++) {
        if ((trail->places[at] & TRAIL_FRAME_POINTER) != kind)
            continue;
        for (unsigned i = filled; groups && i < GROUP; i++) {
            groups[count].values[i] = trail->values[at];
            groups[count].places[i] = trail->places[at];
        }
        filled = (filled + 1) % GROUP;
        count += filled == 0;
    }
    return count + (filled > 0);
}

/* Page after page, in the walk's order. */
static uint32_t fill(struct group *groups, const struct trail *trail)
{
    uint32_t count = 0;
    for (uint32_t from = 0, to; from < trail->count; from = to) {
        for (to = from + 1; to < trail->count && page_of(trail, to) == page_of(trail, from);)
            to++;
        count = fill_kind(groups, count, trail, from, to, 0);
        count = fill_kind(groups, count, trail, from, to, TRAIL_FRAME_POINTER);
    }
    return count;
}

static void describe(struct memo *memo, const struct trail *trail)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < trail->count; i++) {
        if (trail->places[i] > top)
            top = trail->places[i];
        if (trail->places[i] & TRAIL_FRAME_POINTER)
            memo->frame_pointers = true;
    }
    memo->top = (uint32_t)(top + sizeof(uint64_t));
}

/* A free place in the index for HASH; NULL when there is none. */
static _Atomic uint64_t *free_slot(uint64_t hash)
{
    uint32_t at = (uint32_t)hash % INDEX_SIZE;
    for (uint32_t i = 0; i < PROBES; i++) {
        _Atomic uint64_t *slot = &index_slots[(at + i) % INDEX_SIZE];
        uint64_t there = atomic_load_explicit(slot, memory_order_relaxed);
        if (there == 0)
            return slot;
        if ((there ^ hash) >> ADDRESS_BITS == 0)
            return NULL; /* another thread was first */
    }
    return NULL;
}

/* From here on places are bytes from the start on, and frame pointers, too. */
static void make_relative(struct trail *trail)
{
    for (uint32_t i = 0; i < trail->count; i++) {
        if (trail->places[i] & TRAIL_FRAME_POINTER)
            trail->values[i] -= trail->start;
        trail->places[i] -= (uint32_t)trail->start;
    }
}

static bool is_full(void)
{
    return atomic_load_explicit(&memo_count, memory_order_relaxed) >= INDEX_SIZE / 2;
}

void memo_keep(struct trail *trail, unsigned skip, uint32_t number, uint64_t hash)
{
    if (!trail->firm || skip > SKIP_MAX || hash == 0 || is_full() ||
        trail->start % sizeof(uint64_t) != 0)
        return;
    make_relative(trail);
    _Atomic uint64_t *slot = free_slot(hash);
    uint32_t groups = fill(NULL, trail);
    size_t guests_size = trail->guest_count * sizeof *trail->guests;
    size_t size = sizeof(struct memo) + groups * sizeof(struct group) + guests_size;
    struct memo *memo = slot ? take((size + LINE - 1) / LINE * LINE) : NULL;
    if (!memo)
        return;
    memo->number = number;
    memo->key = key_of(trail->start, skip);
    memo->groups = (uint16_t)groups;
    describe(memo, trail);
    memo->guest_count = trail->guest_count;
    fill(memo->group, trail);
    memcpy(memo->group + groups, trail->guests, guests_size);
    uint64_t there = 0;
    uint64_t mine = hash >> ADDRESS_BITS << ADDRESS_BITS | (uint64_t)(uintptr_t)memo;
    /* release: the memo is written before anybody finds it. If another thread took the slot, this
     * memo is nobody's. */
    if (atomic_compare_exchange_strong_explicit(slot, &there, mine, memory_order_release,
                                                memory_order_relaxed))
        atomic_fetch_add_explicit(&memo_count, 1, memory_order_relaxed);
}
