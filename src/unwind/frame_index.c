/* frame_index.c: a search table for unwind information that has none; see frame_index.h.
 *
 * .eh_frame is a row of records, each with its length in front: descriptions of functions (FDE),
 * and what several have in common (CIE), which says how addresses are written (Linux Standard Base
 * Core, 10.6). It is walked once. A record that is not understood is left out, and with it its
 * function. */
#include "unwind/frame_index.h"

#include "base/target.h"
#include "modules/modules.h"

#include <stdlib.h>
#include <string.h>

/* DW_EH_PE_*: the form is in the low four bits, what it counts from above. */
#define FORM 0x0f
#define FORM_ADDRESS 0x00
#define FORM_UDATA4 0x03
#define FORM_UDATA8 0x04
#define FORM_SDATA4 0x0b
#define FORM_SDATA8 0x0c
#define FROM_HERE 0x10
#define OMITTED 0xff

struct records {
    const unsigned char *bytes;
    size_t size;
    uint64_t address; /* of the first byte, in the target */
};

static bool read_word(const struct records *records, size_t at, uint32_t *word)
{
    if (at > records->size || records->size - at < sizeof *word)
        return false;
    memcpy(word, records->bytes + at, sizeof *word);
    return true;
}

static size_t skip_leb(const struct records *records, size_t at)
{
    while (at < records->size && (records->bytes[at] & 0x80))
        at++;
    return at + 1;
}

static size_t size_of(unsigned encoding)
{
    switch (encoding & FORM) {
    case FORM_UDATA4:
    case FORM_SDATA4: return 4;
    case FORM_ADDRESS:
    case FORM_UDATA8:
    case FORM_SDATA8: return 8;
    default: return 0;
    }
}

/* How the CIE at AT has its FDEs write addresses; OMITTED where that is not understood. */
static unsigned encoding_of(const struct records *records, size_t at)
{
    size_t version = at + 8;
    size_t letters = version + 1;
    if (letters >= records->size)
        return OMITTED;
    const unsigned char *end = memchr(records->bytes + letters, 0, records->size - letters);
    if (!end || (records->bytes[version] != 1 && records->bytes[version] != 3))
        return OMITTED;
    if (records->bytes[letters] == 0)
        return FORM_ADDRESS;
    if (records->bytes[letters] != 'z')
        return OMITTED;
    size_t data = skip_leb(records, (size_t)(end - records->bytes) + 1);      /* code alignment */
    data = skip_leb(records, data);                                           /* data alignment */
    data = records->bytes[version] == 1 ? data + 1 : skip_leb(records, data); /* return address */
    data = skip_leb(records, data);                                           /* length of this */
    for (const unsigned char *letter = records->bytes + letters + 1; *letter; letter++) {
        if (data >= records->size)
            return OMITTED;
        if (*letter == 'R')
            return records->bytes[data];
        if (*letter == 'L')
            data++;
        else if (*letter == 'P')
            data += 1 + size_of(records->bytes[data]);
        else if (*letter != 'S' && *letter != 'B')
            return OMITTED;
    }
    return FORM_ADDRESS;
}

static bool read_address(const struct records *records, size_t at, unsigned encoding,
                         uint64_t *address)
{
    size_t size = size_of(encoding);
    uint64_t value = 0;
    if (encoding == OMITTED || (encoding & ~(unsigned)(FORM | FROM_HERE)) || size == 0 ||
        at > records->size || records->size - at < size)
        return false;
    memcpy(&value, records->bytes + at, size);
    if ((encoding & FORM) == FORM_SDATA4)
        value = (uint64_t)(int64_t)(int32_t)(uint32_t)value;
    *address = encoding & FROM_HERE ? records->address + at + value : value;
    return true;
}

static bool add(struct frame_index *index, size_t *capacity, const struct records *records,
                uint64_t start, size_t description)
{
    int64_t distance = (int64_t)(start - records->address);
    if (distance != (int32_t)distance)
        return true;
    if (index->count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 256;
        struct frame_entry *grown = realloc(index->entries, larger * sizeof *grown);
        if (!grown)
            return false;
        index->entries = grown;
        *capacity = larger;
    }
    index->entries[index->count++] =
        (struct frame_entry){ (int32_t)distance, (int32_t)description };
    return true;
}

static void walk(struct frame_index *index, const struct records *records)
{
    size_t capacity = 0;
    size_t common_at = SIZE_MAX;
    unsigned encoding = OMITTED;
    uint32_t length, common;
    for (size_t at = 0; read_word(records, at, &length) && length != 0; at += 4 + (size_t)length) {
        uint64_t start;
        if (length > records->size - at - 4 || !read_word(records, at + 4, &common))
            return;
        if (common == 0 || common > at + 4) /* a CIE itself */
            continue;
        if (common_at != at + 4 - common) {
            common_at = at + 4 - common;
            encoding = encoding_of(records, common_at);
        }
        if (read_address(records, at + 8, encoding, &start) &&
            !add(index, &capacity, records, start, at))
            return;
    }
}

static int by_start(const void *left, const void *right)
{
    int32_t a = ((const struct frame_entry *)left)->start;
    int32_t b = ((const struct frame_entry *)right)->start;
    return (a > b) - (a < b);
}

void frame_index_make(struct frame_index *index, struct target *target, const struct module *module)
{
    *index = (struct frame_index){ .count = 0 };
    size_t size = (size_t)module->eh_frame_size;
    unsigned char *bytes = size > 0 ? malloc(size) : NULL;
    if (bytes && target_read_all(target, module->eh_frame, bytes, size)) {
        const struct records records = { bytes, size, module->eh_frame };
        walk(index, &records);
    }
    free(bytes);
    if (index->count > 1)
        qsort(index->entries, index->count, sizeof *index->entries, by_start);
}

void frame_index_free(struct frame_index *index)
{
    free(index->entries);
    *index = (struct frame_index){ .count = 0 };
}
