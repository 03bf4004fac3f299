/* eh_frame.c: unwind information without a search table; see eh_frame.h.
 *
 * A program that is linked by `gcc -static` has no .eh_frame_hdr: its start-up code hands .eh_frame
 * to libgcc as a whole. No segment says where that is, only the section table, which is not in
 * memory; so it is read from the file, by /proc/PID/exe, which leads to what runs even where it was
 * removed. */
#include "modules/eh_frame.h"

#include "base/target.h"
#include "modules/modules.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTIONS_MAX 1024
#define NAMES_MAX ((size_t)1 << 20)
#define EH_FRAME_MAX ((uint64_t)64 << 20)

/* LENGTH bytes at OFFSET of the file, to be freed; NULL. */
static void *read_part(int fd, uint64_t offset, size_t length)
{
    void *bytes = malloc(length);
    if (bytes && pread(fd, bytes, length, (off_t)offset) == (ssize_t)length)
        return bytes;
    free(bytes);
    return NULL;
}

static bool is_eh_frame(const Elf64_Shdr *section, const char *names, size_t size)
{
    static const char name[] = ".eh_frame";
    return (section->sh_flags & SHF_ALLOC) && section->sh_type != SHT_NOBITS &&
           section->sh_size > 0 && section->sh_size <= EH_FRAME_MAX && section->sh_name < size &&
           size - section->sh_name >= sizeof name &&
           memcmp(names + section->sh_name, name, sizeof name) == 0;
}

static void search(int fd, const Elf64_Ehdr *header, struct module *module)
{
    Elf64_Shdr *sections = read_part(fd, header->e_shoff, header->e_shnum * sizeof(Elf64_Shdr));
    const Elf64_Shdr *strings = sections ? &sections[header->e_shstrndx] : NULL;
    char *names = strings && strings->sh_size > 0 && strings->sh_size <= NAMES_MAX
                      ? read_part(fd, strings->sh_offset, (size_t)strings->sh_size)
                      : NULL;
    for (size_t i = 0; names && i < header->e_shnum; i++) {
        if (!is_eh_frame(&sections[i], names, (size_t)strings->sh_size))
            continue;
        module->eh_frame = module->bias + sections[i].sh_addr;
        module->eh_frame_size = sections[i].sh_size;
    }
    free(names);
    free(sections);
}

void eh_frame_find(struct target *target, uint64_t header, struct module *module)
{
    Elf64_Ehdr mapped;
    Elf64_Ehdr filed;
    if (!target_device_answers(target, module->device) ||
        !target_read_all(target, header, &mapped, sizeof mapped))
        return;
    int fd = openat(target->live_fd, "exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    bool is_program = pread(fd, &filed, sizeof filed, 0) == (ssize_t)sizeof filed &&
                      memcmp(&filed, &mapped, sizeof filed) == 0;
    if (is_program && filed.e_shentsize == sizeof(Elf64_Shdr) && filed.e_shnum > 0 &&
        filed.e_shnum <= SECTIONS_MAX && filed.e_shstrndx < filed.e_shnum)
        search(fd, &filed, module);
    close(fd);
}
