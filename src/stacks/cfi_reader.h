/* cfi_reader.h: numbers as DWARF writes them, read one after the other.
 *
 * Private to stacks/. A reader never leaves its bounds: what lies beyond is 0,
 * and `bad` is set. */
#ifndef SNAG_STACKS_CFI_READER_H
#define SNAG_STACKS_CFI_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Encodings of addresses (Linux Standard Base, 10.5.1). */
#define ENCODED_OMIT 0xff
#define ENCODED_INDIRECT 0x80
#define ENCODED_PC_RELATIVE 0x10
#define ENCODED_TABLE_RELATIVE 0x30
#define ENCODED_AS_SDATA4 0x0b

struct reader {
    const unsigned char *at;
    const unsigned char *end;
    bool bad;
};

static inline void read_into(struct reader *reader, void *value, size_t size)
{
    if ((size_t)(reader->end - reader->at) < size) {
        memset(value, 0, size);
        reader->at = reader->end;
        reader->bad = true;
        return;
    }
    memcpy(value, reader->at, size);
    reader->at += size;
}

static inline uint8_t read_u8(struct reader *reader)
{
    uint8_t value;
    read_into(reader, &value, sizeof value);
    return value;
}

static inline uint16_t read_u16(struct reader *reader)
{
    uint16_t value;
    read_into(reader, &value, sizeof value);
    return value;
}

static inline uint32_t read_u32(struct reader *reader)
{
    uint32_t value;
    read_into(reader, &value, sizeof value);
    return value;
}

static inline uint64_t read_u64(struct reader *reader)
{
    uint64_t value;
    read_into(reader, &value, sizeof value);
    return value;
}

static inline void read_skip(struct reader *reader, uint64_t size)
{
    if ((uint64_t)(reader->end - reader->at) < size) {
        reader->at = reader->end;
        reader->bad = true;
        return;
    }
    reader->at += size;
}

static inline uint64_t read_uleb(struct reader *reader)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = read_u8(reader);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return value;
}

static inline int64_t read_sleb(struct reader *reader)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = read_u8(reader);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && (byte & 0x40))
        value |= ~UINT64_C(0) << shift;
    return (int64_t)value;
}

/* An address written as ENCODING; TABLE is what a table-relative one counts from. */
static inline uintptr_t read_encoded(struct reader *reader, uint8_t encoding, uintptr_t table)
{
    uintptr_t from = (uintptr_t)reader->at;
    uintptr_t value;
    switch (encoding & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c: value = (uintptr_t)read_u64(reader); break;
    case 0x01: value = (uintptr_t)read_uleb(reader); break;
    case 0x02: value = read_u16(reader); break;
    case 0x03: value = read_u32(reader); break;
    case 0x09: value = (uintptr_t)read_sleb(reader); break;
    case 0x0a: value = (uintptr_t)(int16_t)read_u16(reader); break;
    case 0x0b: value = (uintptr_t)(int32_t)read_u32(reader); break;
    default: value = 0; reader->bad = true;
    }
    switch (encoding & 0x70) {
    case 0: break;
    case ENCODED_PC_RELATIVE: value += from; break;
    case ENCODED_TABLE_RELATIVE: value += table; break;
    default: reader->bad = true;
    }
    if (encoding & ENCODED_INDIRECT) /* only used for pointers that are not needed here */
        reader->bad = true;
    return value;
}

#endif
