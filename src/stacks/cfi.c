/* cfi.c: from an address to its entry in .eh_frame; see cfi.h.
 *
 * .eh_frame_hdr has a sorted table of functions, as every linker writes it for
 * libgcc: pairs of 32-bit offsets, the function's and its entry's (Linux Standard Base,
 * 10.6.2). An entry (FDE) names the part that it has in common with others (CIE); both
 * are mapped for as long as the code is. */
#include "stacks/cfi.h"

#include "stacks/cfi_reader.h"
#include "stacks/cfi_run.h"

#if defined(__x86_64__)

#define RETURN_ADDRESS 16 /* its number among the registers */

struct pair {
    int32_t function;
    int32_t entry;
};

static struct pair pair_at(const unsigned char *pairs, size_t index)
{
    struct pair pair;
    memcpy(&pair, pairs + index * sizeof pair, sizeof pair);
    return pair;
}

/* The last entry whose function starts at or below ADDRESS; NULL when there is none. */
static const unsigned char *search(const struct code_region *region, uintptr_t address)
{
    const unsigned char *table = region->table;
    if (!table || !region_holds(region, table, 12) || table[0] != 1)
        return NULL;
    struct reader reader = { table + 4, (const unsigned char *)region->end, false };
    if (table[1] == ENCODED_OMIT || table[2] != 0x03 ||
        table[3] != (ENCODED_TABLE_RELATIVE | ENCODED_AS_SDATA4))
        return NULL;
    read_encoded(&reader, table[1], (uintptr_t)table);
    size_t count = read_u32(&reader);
    const unsigned char *pairs = reader.at;
    if (reader.bad || count == 0 || !region_holds(region, pairs, count * sizeof(struct pair)))
        return NULL;
    intptr_t wanted = (intptr_t)(address - (uintptr_t)table);
    size_t low = 0;
    size_t high = count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (pair_at(pairs, middle).function <= wanted)
            low = middle;
        else
            high = middle;
    }
    struct pair found = pair_at(pairs, low);
    return found.function <= wanted ? table + found.entry : NULL;
}

/* A reader over the record at AT, behind its length; bad for one of 4 GiB or more. */
static struct reader record(const struct code_region *region, const unsigned char *at)
{
    struct reader reader = { at, at, true };
    uint32_t length;
    if (!region_holds(region, at, sizeof length))
        return reader;
    memcpy(&length, at, sizeof length);
    if (length == 0 || length == UINT32_MAX || !region_holds(region, at, sizeof length + length))
        return reader;
    return (struct reader){ at + sizeof length, at + sizeof length + length, false };
}

/* The letters of a CIE's augmentation tell what follows them. */
struct common {
    uint8_t address_encoding;
    bool has_size; /* 'z': the data are preceded by their length */
};

static bool read_augmentation(struct reader *reader, const char *letters, struct common *common,
                              struct cfi_row *row)
{
    if (*letters == 0)
        return true;
    if (*letters != 'z')
        return false;
    common->has_size = true;
    uint64_t size = read_uleb(reader);
    struct reader data = *reader;
    read_skip(reader, size);
    data.end = reader->at;
    for (letters++; *letters && !data.bad; letters++) {
        switch (*letters) {
        case 'L': read_u8(&data); break;
        case 'P': {
            uint8_t encoding = read_u8(&data) & (uint8_t)~ENCODED_INDIRECT;
            read_encoded(&data, encoding, 0);
            break;
        }
        case 'R': common->address_encoding = read_u8(&data); break;
        case 'S': row->signal = true; break;
        default: return false;
        }
    }
    return !data.bad && !reader->bad;
}

static bool read_common(const struct code_region *region, struct cfi_program *program,
                        struct common *common, struct cfi_row *row)
{
    struct reader reader = record(region, row->common);
    row->common_size = (size_t)(reader.end - row->common);
    if (reader.bad || read_u32(&reader) != 0)
        return false;
    uint8_t version = read_u8(&reader);
    const char *letters = (const char *)reader.at;
    while (!reader.bad && read_u8(&reader) != 0)
        ;
    if (reader.bad || (version != 1 && version != 3))
        return false;
    program->code_factor = read_uleb(&reader);
    program->data_factor = read_sleb(&reader);
    uint64_t return_register = version == 1 ? read_u8(&reader) : read_uleb(&reader);
    if (return_register != RETURN_ADDRESS || !read_augmentation(&reader, letters, common, row))
        return false;
    program->initial = reader.at;
    program->initial_size = (size_t)(reader.end - reader.at);
    return true;
}

/* False when there is none, or it is not understood: ROW's kind says which. */
static bool read_entry(const struct code_region *region, struct cfi_program *program,
                       struct cfi_row *row)
{
    struct common common = { 0 };
    row->kind = CFI_NONE;
    row->entry = search(region, program->address);
    if (!row->entry)
        return false;
    row->kind = CFI_UNKNOWN;
    struct reader reader = record(region, row->entry);
    row->entry_size = (size_t)(reader.end - row->entry);
    const unsigned char *from = reader.at;
    uint32_t back = read_u32(&reader);
    if (reader.bad || back == 0)
        return false;
    row->common = from - back;
    if (!read_common(region, program, &common, row))
        return false;
    program->start = read_encoded(&reader, common.address_encoding, (uintptr_t)region->table);
    uintptr_t size = read_encoded(&reader, common.address_encoding & 0x0f, 0);
    if (common.has_size)
        read_skip(&reader, read_uleb(&reader));
    program->own = reader.at;
    program->own_size = (size_t)(reader.end - reader.at);
    if (reader.bad)
        return false;
    if (program->address - program->start >= size)
        row->kind = CFI_NONE;
    else
        row->start = program->start;
    return row->kind != CFI_NONE;
}

void cfi_row_at(const struct code_region *region, uintptr_t address, struct cfi_row *row)
{
    struct cfi_program program = { .address = address };
    *row = (struct cfi_row){ .kind = CFI_NONE };
    if (read_entry(region, &program, row))
        cfi_run(&program, row);
}

#else /* other machines: no tables are read, so a stack is its innermost frame */

void cfi_row_at(const struct code_region *region, uintptr_t address, struct cfi_row *row)
{
    (void)region, (void)address;
    *row = (struct cfi_row){ .kind = CFI_NONE };
}

#endif
