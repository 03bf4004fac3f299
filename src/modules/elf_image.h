/* elf_image.h: what the headers of a mapped ELF file say. */
#ifndef SNAG_MODULES_ELF_IMAGE_H
#define SNAG_MODULES_ELF_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

struct module;
struct target;

/* Reads the ELF headers mapped at HEADER and fills MODULE's range (start, end,
 * file_offset, bias), build id and unwind table. False, MODULE untouched,
 * when there is no 64-bit ELF header or it has no code. */
bool elf_image_read(struct target *target, uint64_t header, struct module *module);

#endif
