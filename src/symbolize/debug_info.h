/* debug_info.h: what DWARF says of a code address. */
#ifndef SNAG_SYMBOLIZE_DEBUG_INFO_H
#define SNAG_SYMBOLIZE_DEBUG_INFO_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INLINED_MAX 64 /* deeper chains lose their outer part, never the function itself */

/* One function at an address. Strings are libdw's, valid while the debug info is. */
struct debug_frame {
    const char *name;         /* NULL unknown */
    const char *linkage_name; /* NULL: the name is the linker's as well */
    const char *file;         /* NULL unknown */
    int line;                 /* 0 unknown */
    int start_line;           /* 0 unknown */
};

struct debug_answer {
    struct debug_frame frames[INLINED_MAX]; /* innermost first; the last is the function itself */
    size_t count;                           /* 0: DWARF has no function here */
    uint64_t function_start;                /* of the part of it that holds the address */
    bool may_be_mangled;                    /* no linkage name, but a language that has them */
    struct debug_frame line;                /* with count 0: file and line, if known */
};

struct debug_info;

/* Reads the index of compilation units. NULL: no DWARF, none that can be read, or no memory.
 * ELF must outlive it. */
struct debug_info *debug_info_new(Elf *elf);
void debug_info_free(struct debug_info *info);

/* What is at ADDRESS, an address in the file. False: in no unit. */
bool debug_info_find(struct debug_info *info, uint64_t address, struct debug_answer *answer);

#endif
