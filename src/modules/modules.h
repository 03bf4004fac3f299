/* modules.h: what code is mapped where in the target.
 *
 * An own table, read from /proc/PID/maps and the ELF headers in memory, in
 * place of dl_iterate_phdr, which takes the loader's lock. A module is one ELF
 * file (executable, library, vdso) with all its mappings; anonymous executable
 * memory (JIT code) is a module without a file, and the only kind that may
 * grow. Modules are never freed while the table lives: one that was unloaded is kept as
 * retired, so that stacks recorded before still name the right file. */
#ifndef SNAG_MODULES_MODULES_H
#define SNAG_MODULES_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target;

struct module {
    uint32_t id;  /* 1, 2, ... in the order seen; never reused */
    bool retired; /* no longer mapped */
    bool deleted; /* the file was removed or replaced since it was mapped */
    bool is_elf;  /* false: code without a file (JIT), nothing below but start, end */
    bool is_vdso;
    uint64_t start;       /* of the executable mapping(s): first ... */
    uint64_t end;         /* ... and one past the last executable byte */
    uint64_t file_offset; /* of `start` in the file */
    uint64_t bias;        /* address in memory minus address in the ELF file */
    char *path;           /* as in maps, " (deleted)" taken off; "[vdso]", "[anon]" */
    uint64_t device;      /* of the mapped file, as st_dev; 0 without */
    uint64_t inode;
    unsigned char build_id[64];
    size_t build_id_length; /* 0 when it has none */

    /* Unwind table, all addresses in memory; eh_frame_hdr_size 0: it has none. */
    uint64_t eh_frame_hdr;
    uint64_t eh_frame_hdr_size;
    uint64_t table;       /* the binary search table in it */
    uint64_t table_count; /* entries of two signed 32-bit words */
    uint64_t eh_frame;    /* what it would be the table of, in a program without (static) */
    uint64_t eh_frame_size;
};

struct modules;

/* A table for TARGET, empty until modules_refresh; NULL without memory. */
struct modules *modules_new(struct target *target);
void modules_free(struct modules *modules);

/* Reads maps again. Cheap when nothing changed. 0 or a negative errno, the table being then
 * as it was. */
int modules_refresh(struct modules *modules);

/* Code that was unloaded, perhaps before it was ever seen here, as somebody else has noted it. */
struct gone_code {
    const char *path;
    uint64_t start; /* of its mapping, where it was */
    uint64_t end;
    uint64_t bias;
    const unsigned char *build_id;
    size_t build_id_length;
};

/* Adds a retired module for CODE, at addresses that nothing mapped can have: what was at A is named
 * by A + *SHIFT from now on, whatever lies at A. False without memory. */
bool modules_add_gone(struct modules *modules, const struct gone_code *code, uint64_t *shift);

/* Grows by one whenever a refresh found a module gone or replaced: what was
 * learnt about addresses may then be wrong. New modules alone change nothing. */
uint64_t modules_generation(const struct modules *modules);

/* The module whose executable mapping holds ADDRESS now, or NULL. */
const struct module *modules_find(const struct modules *modules, uint64_t address);

/* By position, 0 <= INDEX < modules_count: all, the retired ones too. */
size_t modules_count(const struct modules *modules);
const struct module *modules_at(const struct modules *modules, size_t index);

/* The last part of the path: "libc.so.6". */
const char *module_name(const struct module *module);

#endif
