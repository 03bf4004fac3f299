/* symbolize_subject.h: programs whose code is named, and who names it beside us. */
#ifndef SNAG_TESTS_SYMBOLIZE_SUBJECT_H
#define SNAG_TESTS_SYMBOLIZE_SUBJECT_H

#include "base/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct modules;
struct symbolizer;

/* A program that runs and waits, with everything needed to name its code. */
struct subject {
    struct target target;
    struct modules *modules;
    struct symbolizer *symbolizer;
    const struct module *program;
};

/* Runs a shell command; false, and its output is shown, when it fails. */
__attribute__((format(printf, 1, 2))) bool run_command(const char *format, ...);

/* Starts PATH and waits until it says that it is ready. Fails the test otherwise. */
void subject_start(struct subject *subject, const char *path);
void subject_stop(struct subject *subject);

/* One line of somebody's answer. */
struct named_line {
    char function[1024];
    char file[1024]; /* "" unknown */
    int line;        /* 0 unknown */
};

struct named_address {
    uint64_t address;
    struct named_line lines[64]; /* innermost first */
    size_t count;
};

/* What `TOOL -a -i -f` says of COUNT addresses in the file PATH, in their order, names as
 * they are in the binary. TOOL is addr2line or one that answers alike. To be freed; NULL
 * when it cannot be run. */
struct named_address *ask_addr2line(const char *tool, const char *path, const uint64_t *addresses,
                                    size_t count);

/* NAME as c++filt demangles it; good until the next call. */
const char *ask_cppfilt(const char *name);

/* The functions of the file PATH by `nm -S`, those with a size. */
struct sized_function {
    uint64_t start, end;
};
struct sized_function *ask_nm(const char *path, size_t *count);

/* [*START, *END) of the section SECTION in the file PATH, by `readelf -SW`. */
bool section_range(const char *path, const char *section, uint64_t *start, uint64_t *end);

/* The value of the symbol NAME in the file PATH, 0 when there is none. */
uint64_t symbol_value(const char *path, const char *name);

#endif
