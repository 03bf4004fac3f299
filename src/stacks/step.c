/* step.c: steps, learnt from the unwind tables; see step.h.
 *
 * Of code that may be unloaded, what the row was read from is remembered: the
 * addresses and a hash of the table's entry, of the part that it shares with
 * others, and of the library's build id. If the same bytes are still there, where the
 * loader says that a library is, then it is the same library, whatever was
 * unloaded and loaded meanwhile. */
#include "stacks/step.h"

#include "base/stack.h"
#include "stacks/guests.h"
#include "stacks/pool.h"
#include "stacks/regions.h"
#include "stacks/step_table.h"

#include <string.h>
#include <sys/mman.h>

#define WIDE_MAX 1024u
#define GUEST_CHUNK 1024u
#define GUEST_CHUNKS 128u

struct guest {
    const unsigned char *entry;
    const unsigned char *common;
    const unsigned char *label;
    uint32_t entry_size;
    uint32_t common_size;
    uint32_t label_size;
    uint32_t number; /* of the library, in the pool */
    uint64_t hash;
    uint64_t step; /* as for code that stays */
};

static struct cfi_row wide[WIDE_MAX];
static _Atomic uint32_t wide_count;
static _Atomic(struct guest *) guests[GUEST_CHUNKS];
static _Atomic uint32_t guest_count;

static bool take_number(_Atomic uint32_t *count, uint32_t max, uint32_t *number)
{
    *number = atomic_load_explicit(count, memory_order_relaxed);
    do {
        if (*number >= max)
            return false;
    } while (!atomic_compare_exchange_weak(count, number, *number + 1));
    return true;
}

static struct guest *guest_chunk(uint32_t number)
{
    _Atomic(struct guest *) *at = &guests[number / GUEST_CHUNK];
    struct guest *chunk = atomic_load_explicit(at, memory_order_acquire);
    if (chunk)
        return chunk;
    size_t size = GUEST_CHUNK * sizeof *chunk;
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    if (atomic_compare_exchange_strong(at, &chunk, made))
        return made;
    munmap(made, size);
    return chunk;
}

static uint64_t guest_hash(const struct guest *guest)
{
    uint64_t hash = hash_bytes_on((uintptr_t)guest->entry, guest->entry, guest->entry_size);
    hash = hash_bytes_on(hash, guest->common, guest->common_size);
    return hash_bytes_on(hash, guest->label, guest->label_size);
}

static uint64_t word(enum step_kind kind, uint32_t number)
{
    return (uint64_t)kind | (uint64_t)number << 32;
}

/* False when ROW is not of the simple kind. */
static bool plain(const struct cfi_row *row, uint64_t *step)
{
    if (row->cfa.how != CFI_VALUE || row->signal || row->caller.how != CFI_AT ||
        row->caller.base != CFI_CFA || row->caller.offset != -8 || row->caller.add != 0)
        return false;
    if (row->cfa.offset % 8 != 0 || row->bp.offset % 8 != 0)
        return false;
    uint64_t bits = STEP_PLAIN | (row->cfa.base == CFI_BP ? STEP_FROM_BP : 0);
    int16_t place = -8;
    if (row->bp.how == CFI_SAME) {
        bits |= STEP_BP_SAME;
    } else if (row->bp.how == CFI_AT) {
        place = (int16_t)row->bp.offset;
        if (row->bp.base != CFI_CFA || row->bp.add != 0 || place != row->bp.offset || place > -8)
            return false;
        bits |= STEP_BP_SAVED;
    } else if (row->bp.how == CFI_VALUE) {
        return false;
    }
    *step = bits | (uint64_t)(uint16_t)place << 16 | (uint64_t)(uint32_t)row->cfa.offset << 32;
    return true;
}

/* *WHOLE is set to false where there was no room to say it. */
static uint64_t step_from(const struct cfi_row *row, bool *whole)
{
    uint64_t step;
    uint32_t number;
    switch (row->kind) {
    case CFI_END: return word(STEP_OUTERMOST, 0);
    case CFI_NONE: return word(STEP_NO_TABLE, 0);
    case CFI_STEP: break;
    default: return word(STEP_NOT_FOLLOWED, 0);
    }
    if (plain(row, &step))
        return step;
    *whole = take_number(&wide_count, WIDE_MAX, &number);
    if (!*whole)
        return word(STEP_NOT_FOLLOWED, 0);
    wide[number] = *row; /* published with the slot that names it */
    return word(STEP_WIDE, number) | (row->signal ? STEP_EXACT : 0);
}

/* A guest's word around STEP; 0 when there is no room, or no entry to remember. */
static uint64_t guest_word(const struct code_region *region, const struct cfi_row *row,
                           uint64_t step)
{
    uint32_t number;
    if (!row->entry || !row->common ||
        !take_number(&guest_count, GUEST_CHUNK * GUEST_CHUNKS, &number))
        return 0;
    struct guest *chunk = guest_chunk(number);
    if (!chunk)
        return 0;
    struct label label = label_of(region);
    struct guest *guest = &chunk[number % GUEST_CHUNK];
    *guest = (struct guest){
        .entry = row->entry,
        .common = row->common,
        .label = label.bytes,
        .entry_size = (uint32_t)row->entry_size,
        .common_size = (uint32_t)row->common_size,
        .label_size = label.size,
        .number = guest_enter(region, &label, hash_bytes_on(0, label.bytes, label.size)),
        .step = step,
    };
    guest->hash = guest_hash(guest);
    return word(STEP_GUEST, number);
}

/* Whether FRAME, a return address that no table covers, is where a function starts. Nobody's call
 * has pushed it: it is what a context of makecontext(3) begins with, and so its stack's end. */
static bool begins_function(const struct code_region *region, uint64_t frame)
{
    uintptr_t address = (uintptr_t)frame_address(frame);
    struct cfi_row row;
    if (frame & FRAME_EXACT || address >= region->end)
        return false;
    cfi_row_at(region, address, &row);
    return row.kind != CFI_NONE && row.start == address;
}

uint64_t step_learn(uint64_t frame)
{
    struct code_region region;
    struct cfi_row row;
    bool whole = true;
    uintptr_t address = (uintptr_t)frame_lookup(frame);
    if (!region_of(address, &region)) /* not kept: it may be anything */
        return word(STEP_NO_TABLE, 0);
    cfi_row_at(&region, address, &row);
    uint64_t step = step_from(&row, &whole);
    if (row.kind == CFI_NONE && begins_function(&region, frame))
        step = word(STEP_OUTERMOST, 0) | STEP_EXACT;
    uint64_t kept = region.for_ever ? step : guest_word(&region, &row, step);
    if (whole && kept != 0)
        step_keep(frame, kept);
    return kept != 0 ? kept : step;
}

static const struct guest *guest_of(uint64_t step)
{
    uint32_t number = step_number(step);
    struct guest *chunk = atomic_load_explicit(&guests[number / GUEST_CHUNK], memory_order_acquire);
    return &chunk[number % GUEST_CHUNK];
}

static bool is_still_there(const struct guest *guest, uintptr_t address)
{
    struct code_region region;
    return region_of(address, &region) && region_holds(&region, guest->entry, guest->entry_size) &&
           region_holds(&region, guest->common, guest->common_size) &&
           (guest->label_size == 0 || region_holds(&region, guest->label, guest->label_size)) &&
           guest_hash(guest) == guest->hash;
}

uint64_t step_of_guest(uint64_t frame, uint64_t step, uint32_t *number)
{
    const struct guest *guest = guest_of(step);
    *number = GUEST_UNKNOWN;
    if (!is_still_there(guest, (uintptr_t)frame_lookup(frame))) {
        step = step_learn(frame);
        if (step_kind(step) != STEP_GUEST)
            return step;
        guest = guest_of(step);
    }
    *number = guest->number;
    return guest->step;
}

const struct cfi_row *step_row(uint64_t step)
{
    return &wide[step_number(step)];
}
