/* tracking_symbol.c: one symbol, found the way the loader finds it.
 *
 * From the program headers in memory to the dynamic section, from there to the
 * hash table: the file may be gone, be stripped, or lie in another mount
 * namespace, and the table is always mapped. The GNU table is used, or the
 * one of the System V ABI. glibc adds the load address to the addresses in the
 * dynamic section, others do not; both are understood. */
#include "sources/tracking_symbol.h"

#include "base/target.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define HEADERS_MAX 64
#define ENTRIES_MAX 256 /* of the dynamic section */
#define CHAIN_MAX 65536 /* steps through one hash chain */
#define NAME_MAX_LENGTH 64

struct library {
    struct target *target;
    uint64_t bias;
    uint64_t symbols;
    uint64_t strings;
    uint64_t gnu_hash;
    uint64_t hash;
};

static bool find_dynamic(struct library *library, Elf64_Phdr *dynamic)
{
    Elf64_Ehdr header;
    Elf64_Phdr parts[HEADERS_MAX];
    if (!target_read_all(library->target, library->bias, &header, sizeof header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof *parts || header.e_phnum == 0 ||
        header.e_phnum > HEADERS_MAX ||
        !target_read_all(library->target, library->bias + header.e_phoff, parts,
                         header.e_phnum * sizeof *parts))
        return false;
    for (size_t i = 0; i < header.e_phnum; i++) {
        *dynamic = parts[i];
        if (dynamic->p_type == PT_DYNAMIC)
            return true;
    }
    return false;
}

static void take_entry(struct library *library, const Elf64_Dyn *entry)
{
    uint64_t address = entry->d_un.d_ptr;
    if (address < library->bias)
        address += library->bias;
    switch (entry->d_tag) {
    case DT_SYMTAB: library->symbols = address; break;
    case DT_STRTAB: library->strings = address; break;
    case DT_GNU_HASH: library->gnu_hash = address; break;
    case DT_HASH: library->hash = address; break;
    default: break;
    }
}

static bool read_dynamic(struct library *library)
{
    Elf64_Phdr dynamic;
    Elf64_Dyn entries[ENTRIES_MAX];
    if (!find_dynamic(library, &dynamic))
        return false;
    size_t count = dynamic.p_memsz / sizeof *entries;
    if (count > ENTRIES_MAX)
        count = ENTRIES_MAX;
    if (!target_read_all(library->target, library->bias + dynamic.p_vaddr, entries,
                         count * sizeof *entries))
        return false;
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++)
        take_entry(library, &entries[i]);
    return library->symbols && library->strings && (library->gnu_hash || library->hash);
}

static bool read_word(const struct library *library, uint64_t address, uint32_t *word)
{
    return target_read_all(library->target, address, word, sizeof *word);
}

/* The address of symbol INDEX if its name is NAME, else 0. */
static uint64_t symbol_if(const struct library *library, uint32_t index, const char *name)
{
    Elf64_Sym symbol;
    char text[NAME_MAX_LENGTH];
    size_t length = strlen(name) + 1;
    if (length > sizeof text ||
        !target_read_all(library->target, library->symbols + (uint64_t)index * sizeof symbol,
                         &symbol, sizeof symbol) ||
        symbol.st_shndx == SHN_UNDEF ||
        !target_read_all(library->target, library->strings + symbol.st_name, text, length) ||
        memcmp(text, name, length) != 0)
        return 0;
    return library->bias + symbol.st_value;
}

static uint64_t find_by_gnu_hash(const struct library *library, const char *name)
{
    uint32_t header[4]; /* buckets, first symbol in the table, words of the filter, its shift */
    uint32_t hash = 5381;
    uint32_t index;
    if (!target_read_all(library->target, library->gnu_hash, header, sizeof header) ||
        header[0] == 0)
        return 0;
    for (const char *at = name; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    uint64_t buckets = library->gnu_hash + sizeof header + (uint64_t)header[2] * 8;
    uint64_t chain = buckets + (uint64_t)header[0] * 4;
    if (!read_word(library, buckets + (uint64_t)(hash % header[0]) * 4, &index) ||
        index < header[1])
        return 0;
    for (size_t i = 0; i < CHAIN_MAX; i++, index++) {
        uint32_t other;
        if (!read_word(library, chain + (uint64_t)(index - header[1]) * 4, &other))
            return 0;
        uint64_t found = (other | 1) == (hash | 1) ? symbol_if(library, index, name) : 0;
        if (found || (other & 1))
            return found;
    }
    return 0;
}

static uint64_t find_by_hash(const struct library *library, const char *name)
{
    uint32_t header[2]; /* buckets, symbols */
    uint32_t hash = 0;
    uint32_t index;
    if (!target_read_all(library->target, library->hash, header, sizeof header) || header[0] == 0)
        return 0;
    for (const char *at = name; *at; at++) {
        hash = (hash << 4) + (unsigned char)*at;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    uint64_t buckets = library->hash + sizeof header;
    uint64_t chain = buckets + (uint64_t)header[0] * 4;
    if (!read_word(library, buckets + (uint64_t)(hash % header[0]) * 4, &index))
        return 0;
    for (size_t i = 0; i < CHAIN_MAX && index != 0 && index < header[1]; i++) {
        uint64_t found = symbol_if(library, index, name);
        if (found)
            return found;
        if (!read_word(library, chain + (uint64_t)index * 4, &index))
            return 0;
    }
    return 0;
}

uint64_t loaded_symbol(struct target *target, uint64_t bias, const char *name)
{
    struct library library = { .target = target, .bias = bias };
    if (!read_dynamic(&library))
        return 0;
    uint64_t found = library.gnu_hash ? find_by_gnu_hash(&library, name) : 0;
    return !found && library.hash ? find_by_hash(&library, name) : found;
}
