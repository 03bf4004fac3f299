/* elf_file.h: the ELF file that a module was mapped from, and its debug file.
 *
 * A file is taken only when it is proven to be the one: by its build id, else
 * by device and inode, else by its code being what is in memory. Names from
 * a wrong file would be worse than none. */
#ifndef SNAG_SYMBOLIZE_ELF_FILE_H
#define SNAG_SYMBOLIZE_ELF_FILE_H

#include <libelf.h>
#include <stdbool.h>

struct module;
struct target;

struct elf_file {
    int fd;      /* -1: none */
    Elf *elf;    /* NULL: not open */
    void *image; /* a copy of what has no file (vdso), NULL otherwise */
};

/* Opens what MODULE was mapped from; false where it is gone or not the one. */
bool elf_file_open(struct elf_file *file, struct target *target, const struct module *module);

/* Opens the separate debug file of MODULE, whose own file is MAIN: by build id below
 * /usr/lib/debug, or by MAIN's .gnu_debuglink. False where there is none that fits. */
bool elf_file_open_debug(struct elf_file *file, struct target *target, const struct module *module,
                         const struct elf_file *main);

void elf_file_close(struct elf_file *file);

/* The section of ELF called NAME, NULL when there is none with content in the file. */
Elf_Scn *elf_file_section(Elf *elf, const char *name);

/* Makes the sections of ELF that are in NAMES, up to NULL, seem to be without content. */
void elf_file_hide(Elf *elf, const char *const *names);

/* Bytes in all sections of ELF whose names begin with PREFIX. */
unsigned long long elf_file_size_of(Elf *elf, const char *prefix);

#endif
