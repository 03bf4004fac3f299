/* symbolize.h: names for code addresses, by libdw.
 *
 * Function, file, line and inlined frames from DWARF where the binary or its
 * separate debug file has it; else the symbol table, with a size check; else
 * nothing: a frame without a name is shown as module+0xoffset, never as the nearest
 * symbol. Answers are kept per address until symbolizer_trim. */
#ifndef SNAG_SYMBOLIZE_SYMBOLIZE_H
#define SNAG_SYMBOLIZE_SYMBOLIZE_H

#include <stddef.h>
#include <stdint.h>

struct target;
struct modules;
struct module;

struct source_line {
    const char *function;    /* demangled; "libfoo.so+0x1234" where nothing is known */
    const char *system_name; /* as in the binary; same as function where not mangled */
    const char *file;        /* NULL unknown */
    int line;                /* 0 unknown */
    int start_line;          /* the function's first line; 0 unknown */
};

struct location {
    const struct module *module; /* NULL: not in any mapped code */
    uint64_t address;            /* that was asked for */
    uint64_t function_offset;    /* address minus the (outermost, not inlined) function's start */
    int has_function;            /* the name comes from the binary, not from module+0x... */
    int has_lines;               /* file and line are known */
    int has_inlines;             /* inlined frames were looked for */
    size_t line_count;           /* at least 1 */
    const struct source_line *lines; /* innermost inlined function first */
};

struct symbolizer;

struct symbolizer *symbolizer_new(struct target *target, struct modules *modules);
void symbolizer_free(struct symbolizer *symbolizer);

/* Names ADDRESS (already frame_lookup'd). Never NULL; owned by the symbolizer,
 * valid until symbolizer_trim. */
const struct location *symbolize(struct symbolizer *symbolizer, uint64_t address);

/* Whether LOCATION is code of the C library, the loader, a sanitizer or snag, which stands above
 * everybody's own functions on a stack. */
int location_is_c_library(const struct location *location);

/* The static variable that ADDRESS is in: "registry_lock", "pools+0x40"; NULL where none is known.
 * Walks a whole symbol table: not for each of many. Valid until symbolizer_trim. */
const char *symbolize_variable(struct symbolizer *symbolizer, uint64_t address);

/* The module of the program itself (not of a library), NULL when it is not known. */
const struct module *symbolizer_program(struct symbolizer *symbolizer);

/* Once, at the start of the thread that symbolizes: libelf and libdw keep their
 * error numbers in thread-local storage, which the loader would allocate on first use by the
 * service's malloc. */
void symbolizer_prepare(void);

/* Begins to read, on threads of its own, what nearly every stack needs and takes longest: the
 * debug information of the C library, which is compressed, and of the program. For a command that
 * looks at another process; without it, it is read when first needed. */
void symbolizer_read_ahead(struct symbolizer *symbolizer);

/* Gives all memory and open files back. */
void symbolizer_trim(struct symbolizer *symbolizer);

#endif
