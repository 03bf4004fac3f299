/* guests.c: libraries that come and go; see guests.h.
 *
 * A descriptor may be open long after the plug-in that opened it is gone, and
 * another may be mapped where it was. So each is written down when its code is
 * first met on a stack: where it lay, its file, its build id. The reader names
 * its frames by that, and not by what lies there now. */
#include "stacks/guests.h"

#include "stacks/pool.h"
#include "stacks/pool_open.h"
#include "stacks/regions.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>

/* Where each one's build id is, in its own memory; NULL if it has none. */
static _Atomic(const unsigned char *) build_ids[POOL_GUESTS];

#define HEADERS_HASHED 4 /* program headers, where there is no build id */

uint64_t hash_bytes_on(uint64_t hash, const unsigned char *bytes, size_t size)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    while (size > 0) {
        uint64_t word = 0;
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(&word, bytes, part);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
        bytes += part;
        size -= part;
    }
    return hash;
}

/* The build id among the notes at BYTES. */
static bool find_build_id(const unsigned char *bytes, size_t size, struct label *label)
{
    size_t at = 0;
    while (size - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, bytes + at, sizeof note);
        at += sizeof note;
        size_t name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
        size_t value = ((size_t)note.n_descsz + 3) & ~(size_t)3;
        if (name > size - at || value > size - at - name)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(bytes + at, "GNU", 4) == 0 && note.n_descsz > 0) {
            *label = (struct label){ bytes + at + name, note.n_descsz, true };
            return true;
        }
        at += name + value;
    }
    return false;
}

struct label label_of(const struct code_region *region)
{
    struct label label = { .size = 0 };
    const unsigned char *base = (const unsigned char *)region->start;
    Elf64_Ehdr header;
    if (!region_holds(region, base, sizeof header))
        return label;
    memcpy(&header, base, sizeof header);
    size_t size = (size_t)header.e_phnum * sizeof(Elf64_Phdr);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phoff != sizeof header ||
        !region_holds(region, base + sizeof header, size))
        return label;
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr part;
        memcpy(&part, base + sizeof header + i * sizeof part, sizeof part);
        const unsigned char *notes = (const unsigned char *)(region->bias + part.p_vaddr);
        if (part.p_type == PT_NOTE && region_holds(region, notes, part.p_memsz) &&
            find_build_id(notes, part.p_memsz, &label))
            return label;
    }
    size_t most = HEADERS_HASHED * sizeof(Elf64_Phdr);
    label.bytes = base;
    label.size = (uint32_t)(sizeof header + (size < most ? size : most));
    return label;
}

static bool is_same(struct stack_guest *guest, const struct code_region *region, uint64_t hash)
{
    return atomic_load_explicit(&guest->ready, memory_order_acquire) &&
           guest->start == region->start && guest->end == region->end && guest->label == hash;
}

static void fill(struct stack_pool *pool, uint32_t index, const struct code_region *region,
                 const struct label *label, uint64_t hash)
{
    struct stack_guest *guest = &pool->guests[index];
    guest->start = region->start;
    guest->end = region->end;
    guest->bias = region->bias;
    guest->label = hash;
    if (label->is_build_id && label->size <= sizeof guest->build_id) {
        memcpy(guest->build_id, label->bytes, label->size);
        guest->build_id_size = label->size;
        atomic_store_explicit(&build_ids[index], label->bytes, memory_order_relaxed);
    }
    size_t length = region->path ? strnlen(region->path, sizeof guest->path - 1) : 0;
    if (length > 0)
        memcpy(guest->path, region->path, length);
    atomic_store_explicit(&guest->ready, 1, memory_order_release);
}

uint32_t guest_enter(const struct code_region *region, const struct label *label, uint64_t hash)
{
    struct stack_pool *pool = pool_open();
    if (!pool || label->size == 0)
        return GUEST_UNKNOWN;
    uint32_t count = atomic_load_explicit(&pool->guest_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++)
        if (is_same(&pool->guests[i], region, hash))
            return i + 1;
    /* Two threads may enter one library twice: both numbers mean the same. */
    do {
        if (count >= POOL_GUESTS)
            return GUEST_UNKNOWN;
    } while (!atomic_compare_exchange_weak(&pool->guest_count, &count, count + 1));
    fill(pool, count, region, label, hash);
    return count + 1;
}

bool guest_is_there(uint32_t number)
{
    struct stack_pool *pool = pool_open();
    struct code_region region;
    if (!pool || number == GUEST_NONE || number > POOL_GUESTS)
        return false;
    struct stack_guest *guest = &pool->guests[number - 1];
    if (!atomic_load_explicit(&guest->ready, memory_order_acquire))
        return false;
    const unsigned char *build_id =
        atomic_load_explicit(&build_ids[number - 1], memory_order_relaxed);
    return build_id && region_of(guest->start, &region) && region.start == guest->start &&
           region.end == guest->end && region_holds(&region, build_id, guest->build_id_size) &&
           memcmp(build_id, guest->build_id, guest->build_id_size) == 0;
}
