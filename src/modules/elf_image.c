/* elf_image.c: a module's headers, read from where the loader mapped them.
 *
 * Memory is the truth about what runs: the file may have been replaced, be in
 * another mount namespace or not be readable. Everything is read through
 * target_read and every size is checked, since a header may be anything. The
 * search table is that of the Linux Standard Base (.eh_frame_hdr, version 1, pairs
 * of 32-bit offsets), which GNU ld, gold, lld and mold write. */
#include "modules/elf_image.h"

#include "base/target.h"
#include "modules/eh_frame.h"
#include "modules/modules.h"

#include <elf.h>
#include <string.h>

#define PROGRAM_HEADERS_MAX 128
#define NOTES_MAX 4096
#define PAGE UINT64_C(4096)

/* Encodings of .eh_frame_hdr that a binary search can use. */
#define EH_UDATA4 0x03
#define EH_DATAREL_SDATA4 0x3b
#define EH_OMIT 0xff

struct image {
    Elf64_Phdr headers[PROGRAM_HEADERS_MAX];
    size_t count;
    uint64_t bias;
};

static bool read_headers(struct target *target, uint64_t at, struct image *image)
{
    Elf64_Ehdr ehdr;
    if (!target_read_all(target, at, &ehdr, sizeof ehdr) ||
        memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 || ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
        ehdr.e_phentsize != sizeof(Elf64_Phdr) || ehdr.e_phnum == 0 ||
        ehdr.e_phnum > PROGRAM_HEADERS_MAX || ehdr.e_phoff > (uint64_t)1 << 30)
        return false;
    image->count = ehdr.e_phnum;
    if (!target_read_all(target, at + ehdr.e_phoff, image->headers,
                         image->count * sizeof(Elf64_Phdr)))
        return false;
    for (size_t i = 0; i < image->count; i++) {
        const Elf64_Phdr *header = &image->headers[i];
        if (header->p_type == PT_LOAD && header->p_offset < PAGE) {
            image->bias = at - (header->p_vaddr - header->p_offset);
            return true;
        }
    }
    return false;
}

/* The range of the executable segments; one file has one or, rarely, a few. */
static bool find_code(const struct image *image, struct module *module)
{
    uint64_t start = UINT64_MAX;
    uint64_t end = 0;
    for (size_t i = 0; i < image->count; i++) {
        const Elf64_Phdr *header = &image->headers[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || header->p_memsz == 0)
            continue;
        uint64_t low = (image->bias + header->p_vaddr) & ~(PAGE - 1);
        uint64_t high = (image->bias + header->p_vaddr + header->p_memsz + PAGE - 1) & ~(PAGE - 1);
        if (high <= low)
            return false;
        if (low < start) {
            start = low;
            module->file_offset = header->p_offset & ~(PAGE - 1);
        }
        if (high > end)
            end = high;
    }
    module->start = start;
    module->end = end;
    return start < end;
}

static void find_build_id(struct target *target, const struct image *image,
                          const Elf64_Phdr *header, struct module *module)
{
    unsigned char notes[NOTES_MAX];
    size_t size = header->p_memsz < sizeof notes ? header->p_memsz : sizeof notes;
    if (!target_read_all(target, image->bias + header->p_vaddr, notes, size))
        return;
    size_t align = header->p_align == 8 ? 8 : 4;
    size_t at = 0;
    while (size - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, notes + at, sizeof note);
        at += sizeof note;
        size_t name = ((size_t)note.n_namesz + align - 1) & ~(align - 1);
        size_t value = ((size_t)note.n_descsz + align - 1) & ~(align - 1);
        if (name > size - at || note.n_descsz > size - at - name)
            return;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(notes + at, "GNU", 4) == 0 && note.n_descsz <= sizeof module->build_id) {
            memcpy(module->build_id, notes + at + name, note.n_descsz);
            module->build_id_length = note.n_descsz;
            return;
        }
        if (value > size - at - name)
            return;
        at += name + value;
    }
}

static void find_unwind_table(struct target *target, const struct image *image,
                              const Elf64_Phdr *header, struct module *module)
{
    struct {
        unsigned char version, frame_encoding, count_encoding, table_encoding;
        int32_t frame;
        uint32_t count;
    } table;
    uint64_t at = image->bias + header->p_vaddr;
    if (header->p_memsz < sizeof table || !target_read_all(target, at, &table, sizeof table))
        return;
    if (table.version != 1 || table.count_encoding != EH_UDATA4 ||
        table.table_encoding != EH_DATAREL_SDATA4 || table.frame_encoding == EH_OMIT ||
        (table.frame_encoding & 0x0f) != 0x0b || table.count > (header->p_memsz - 12) / 8)
        return;
    module->eh_frame_hdr = at;
    module->eh_frame_hdr_size = header->p_memsz;
    module->table = at + sizeof table;
    module->table_count = table.count;
}

bool elf_image_read(struct target *target, uint64_t header, struct module *module)
{
    struct image image = { .count = 0 };
    struct module found = *module;
    if (!read_headers(target, header, &image) || !find_code(&image, &found))
        return false;
    *module = found;
    module->is_elf = true;
    module->bias = image.bias;
    for (size_t i = 0; i < image.count; i++) {
        if (image.headers[i].p_type == PT_NOTE && module->build_id_length == 0)
            find_build_id(target, &image, &image.headers[i], module);
        if (image.headers[i].p_type == PT_GNU_EH_FRAME)
            find_unwind_table(target, &image, &image.headers[i], module);
    }
    if (module->eh_frame_hdr_size == 0)
        eh_frame_find(target, header, module);
    return true;
}
