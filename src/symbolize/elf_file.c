/* elf_file.c: the ELF file of a module; see elf_file.h.
 *
 * Files are read, never mapped: one that is cut short while it is mapped (a
 * library overwritten in place by an update) would be SIGBUS, and reading is an error.
 * Paths are those of the target, so they are taken below its root in /proc, links in them too. */
#include "symbolize/elf_file.h"

#include "base/target.h"
#include "modules/modules.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#define VDSO_MAX ((size_t)1 << 20)
#define CODE_COMPARED_MAX                                                                          \
    ((uint64_t)64 << 20) /* more code than that is not proven by comparing                         \
                          */
#define CHUNK ((size_t)64 << 10)
#define CHECKSUM_MAX ((off_t)1 << 30)
#define DEBUG_ROOT "/usr/lib/debug"

void elf_file_close(struct elf_file *file)
{
    if (file->elf)
        elf_end(file->elf);
    if (file->fd >= 0)
        close(file->fd);
    free(file->image);
    *file = (struct elf_file){ .fd = -1 };
}

/* A FIFO or device in the file's place cannot hold us up. */
#define HOW_OPENED (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Takes what was opened over; false, and closed, where it is no ELF file. */
static bool take(struct elf_file *file, int fd)
{
    *file = (struct elf_file){ .fd = fd };
    if (fd < 0)
        return false;
    struct stat status;
    if (fstat(file->fd, &status) == 0 && S_ISREG(status.st_mode))
        file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
    if (file->elf && elf_kind(file->elf) == ELF_K_ELF)
        return true;
    elf_file_close(file);
    return false;
}

static bool open_below(struct elf_file *file, int directory, const char *path)
{
    return take(file, openat(directory, path, HOW_OPENED));
}

/* A link to /usr/lib in another's root means that root's /usr/lib. The own process may have locked
 * itself in with a filter that knows nothing of openat2, and has the root that links are meant in.
 */
static int open_resolved(const struct target *target, const char *path)
{
    char below[PATH_MAX];
    if (!target->self) {
        struct open_how how = { .flags = HOW_OPENED, .resolve = RESOLVE_IN_ROOT };
        int root = openat(target->live_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof how);
        int error = errno;
        if (root >= 0)
            close(root);
        if (fd >= 0 || error != ENOSYS)
            return fd;
    }
    int length = snprintf(below, sizeof below, "root%s", path);
    bool fits = length > 0 && (size_t)length < sizeof below;
    return fits ? openat(target->live_fd, below, HOW_OPENED) : -1;
}

/* PATH, as maps has it, within the target's root: maps begins at ours where that lies in it (a
 * chroot), else at the top of the target's mounts. */
static const char *inner_path(const struct target *target, const char *path)
{
    char root[PATH_MAX];
    ssize_t length = target->self ? 0 : readlinkat(target->live_fd, "root", root, sizeof root - 1);
    bool is_inside = length > 1 && strncmp(path, root, (size_t)length) == 0 && path[length] == '/';
    return is_inside ? path + length : path;
}

/* Opens PATH of the target. A file that may not answer is as good as none. */
static bool open_in_root(struct elf_file *file, struct target *target, const char *path)
{
    return path[0] == '/' && target_path_answers(target, path) &&
           take(file, open_resolved(target, path));
}

/* 1: the build ids are equal; 0: they are not; -1: one of them is missing. */
static int build_id_equal(const struct elf_file *file, const struct module *module)
{
    const void *bits;
    ssize_t length = dwelf_elf_gnu_build_id(file->elf, &bits);
    if (length <= 0 || module->build_id_length == 0)
        return -1;
    return (size_t)length == module->build_id_length &&
           memcmp(bits, module->build_id, (size_t)length) == 0;
}

static bool same_inode(const struct elf_file *file, const struct module *module)
{
    struct stat status;
    return module->inode != 0 && fstat(file->fd, &status) == 0 && status.st_ino == module->inode &&
           status.st_dev == module->device;
}

static bool read_exactly(int fd, unsigned char *bytes, size_t length, uint64_t offset)
{
    while (length > 0) {
        ssize_t got = pread(fd, bytes, length, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        bytes += got;
        length -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

/* Whether the file holds the very code that is in memory. For files without build id
 * on file systems whose numbers in maps are those of a layer below (overlayfs, btrfs). Where the
 * numbers can be compared, another inode is another file, even one with the same code. */
static bool same_code(const struct elf_file *file, struct target *target,
                      const struct module *module)
{
    struct stat status;
    uint64_t left = module->end - module->start;
    if (module->retired || module->deleted || left > CODE_COMPARED_MAX ||
        fstat(file->fd, &status) != 0 || status.st_dev == module->device ||
        (uint64_t)status.st_size <= module->file_offset)
        return false;
    /* The last page goes on after the end of the file, with zeros. */
    if (left > (uint64_t)status.st_size - module->file_offset)
        left = (uint64_t)status.st_size - module->file_offset;
    unsigned char *bytes = malloc(2 * CHUNK);
    bool same = bytes && left > 0;
    for (uint64_t done = 0; same && done < left;) {
        size_t step = left - done < CHUNK ? (size_t)(left - done) : CHUNK;
        same = read_exactly(file->fd, bytes, step, module->file_offset + done) &&
               target_read_all(target, module->start + done, bytes + CHUNK, step) &&
               memcmp(bytes, bytes + CHUNK, step) == 0;
        done += step;
    }
    free(bytes);
    return same;
}

static bool is_the_one(const struct elf_file *file, struct target *target,
                       const struct module *module)
{
    int by_build_id = build_id_equal(file, module);
    if (by_build_id >= 0)
        return by_build_id == 1;
    /* A build id on one side only: another file, unless it is the very inode. */
    if (same_inode(file, module))
        return true;
    const void *bits;
    bool neither = module->build_id_length == 0 && dwelf_elf_gnu_build_id(file->elf, &bits) <= 0;
    return neither && same_code(file, target, module);
}

static bool keep_if_right(struct elf_file *file, struct target *target, const struct module *module)
{
    if (is_the_one(file, target, module))
        return true;
    elf_file_close(file);
    return false;
}

static bool open_vdso(struct elf_file *file, struct target *target, const struct module *module)
{
    uint64_t length = module->end - module->start;
    if (length == 0 || length > VDSO_MAX)
        return false;
    file->image = malloc((size_t)length);
    if (file->image && target_read_all(target, module->start, file->image, (size_t)length))
        file->elf = elf_memory(file->image, (size_t)length);
    if (file->elf && elf_kind(file->elf) == ELF_K_ELF)
        return true;
    elf_file_close(file);
    return false;
}

/* The program itself, wherever its file has gone. */
static bool open_program(struct elf_file *file, struct target *target)
{
    char path[PATH_MAX];
    ssize_t length = readlinkat(target->live_fd, "exe", path, sizeof path - 1);
    if (length <= 0)
        return false;
    path[length] = 0;
    return target_path_answers(target, path) && open_below(file, target->live_fd, "exe");
}

bool elf_file_open(struct elf_file *file, struct target *target, const struct module *module)
{
    *file = (struct elf_file){ .fd = -1 };
    if (!module->is_elf)
        return false;
    if (module->is_vdso)
        return open_vdso(file, target, module);
    if (module->device != 0 && !target_device_answers(target, module->device))
        return false;
    const char *inner = inner_path(target, module->path);
    if (open_in_root(file, target, inner) && keep_if_right(file, target, module))
        return true;
    if (target->self && target_path_answers(target, module->path) &&
        open_below(file, AT_FDCWD, module->path) && keep_if_right(file, target, module))
        return true;
    /* Removed or replaced: the program itself is still at hand, and with
     * CAP_CHECKPOINT_RESTORE everything that is mapped. */
    if (open_program(file, target) && keep_if_right(file, target, module))
        return true;
    char path[64];
    snprintf(path, sizeof path, "map_files/%" PRIx64 "-%" PRIx64, module->start, module->end);
    return open_below(file, target->proc_fd, path) && keep_if_right(file, target, module);
}

/* The checksum of .gnu_debuglink is zlib's crc32 over the whole file. Who chose the file may have
 * chosen one without end, which takes no room where it holds nothing. */
static bool checksum_is(int fd, uint32_t wanted)
{
    struct stat status;
    unsigned char *bytes = NULL;
    if (fstat(fd, &status) == 0 && status.st_size <= CHECKSUM_MAX)
        bytes = malloc(CHUNK);
    if (!bytes)
        return false;
    uLong sum = crc32(0, NULL, 0);
    off_t offset = 0;
    ssize_t got;
    while ((got = pread(fd, bytes, CHUNK, offset)) > 0) {
        sum = crc32(sum, bytes, (uInt)got);
        offset += got;
    }
    free(bytes);
    return got == 0 && sum == wanted;
}

static bool open_by_build_id(struct elf_file *file, struct target *target,
                             const struct module *module)
{
    if (module->build_id_length < 2)
        return false;
    char hex[2 * sizeof module->build_id + 1];
    for (size_t i = 0; i < module->build_id_length; i++)
        snprintf(hex + 2 * i, 3, "%02x", module->build_id[i]);
    char path[sizeof hex + 64];
    snprintf(path, sizeof path, DEBUG_ROOT "/.build-id/%.2s/%s.debug", hex, hex + 2);
    /* Who looks into a container has what it lacks: with the same build id it is the same. */
    for (int ours = 0; ours <= !target->self; ours++) {
        if (!(ours ? open_below(file, AT_FDCWD, path) : open_in_root(file, target, path)))
            continue;
        if (build_id_equal(file, module) == 1)
            return true;
        elf_file_close(file);
    }
    return false;
}

static bool open_by_link(struct elf_file *file, struct target *target, const struct module *module,
                         const struct elf_file *main)
{
    GElf_Word checksum;
    const char *name = dwelf_elf_gnu_debuglink(main->elf, &checksum);
    const char *own = inner_path(target, module->path);
    const char *slash = strrchr(own, '/');
    if (!name || !*name || strchr(name, '/') || !slash)
        return false;
    int directory = (int)(slash - own);
    static const struct {
        const char *above, *below;
    } places[] = { { "", "/" }, { "", "/.debug/" }, { DEBUG_ROOT, "/" } };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[PATH_MAX];
        int length = snprintf(path, sizeof path, "%s%.*s%s%s", places[i].above, directory, own,
                              places[i].below, name);
        if (length < 0 || (size_t)length >= sizeof path || !open_in_root(file, target, path))
            continue;
        int by_build_id = build_id_equal(file, module);
        if (by_build_id == 1 || (by_build_id < 0 && checksum_is(file->fd, checksum)))
            return true;
        elf_file_close(file);
    }
    return false;
}

bool elf_file_open_debug(struct elf_file *file, struct target *target, const struct module *module,
                         const struct elf_file *main)
{
    *file = (struct elf_file){ .fd = -1 };
    return open_by_build_id(file, target, module) || open_by_link(file, target, module, main);
}

/* The name of SECTION, NULL when it has no content in the file. */
static const char *section_name(Elf *elf, Elf_Scn *section, GElf_Shdr *header)
{
    size_t names;
    if (!gelf_getshdr(section, header) || header->sh_type == SHT_NOBITS ||
        elf_getshdrstrndx(elf, &names) != 0)
        return NULL;
    return elf_strptr(elf, names, header->sh_name);
}

Elf_Scn *elf_file_section(Elf *elf, const char *name)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        const char *found = section_name(elf, section, &header);
        if (found && strcmp(found, name) == 0)
            return section;
    }
    return NULL;
}

void elf_file_hide(Elf *elf, const char *const *names)
{
    for (; *names; names++) {
        GElf_Shdr header;
        Elf_Scn *section = elf_file_section(elf, *names);
        if (!section || !gelf_getshdr(section, &header))
            continue;
        header.sh_type = SHT_NOBITS;
        gelf_update_shdr(section, &header);
    }
}

unsigned long long elf_file_size_of(Elf *elf, const char *prefix)
{
    unsigned long long size = 0;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        const char *found = section_name(elf, section, &header);
        if (found && strncmp(found, prefix, strlen(prefix)) == 0)
            size += header.sh_size;
    }
    return size;
}
