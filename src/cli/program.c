/* program.c: what a command line would run, and whether a library can be put into it.
 *
 * The loader preloads nothing where there is no loader (a static program), where the
 * program gains rights by its file (set-user-ID and the like: it then drops
 * LD_PRELOAD), and not across word sizes. It is better to say so than to run it
 * as if all were well. Of a script it is the interpreter that counts. */
#include "cli/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define INSTEAD "; `snag dump PID` looks at it from outside"
#define SCRIPTS_MAX 4 /* interpreters that are scripts themselves */

static bool is_program(const char *path)
{
    struct stat status;
    return access(path, X_OK) == 0 && stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static bool search_path(const char *name, char *path)
{
    const char *list = getenv("PATH");
    if (!list)
        list = "/usr/local/bin:/usr/bin:/bin";
    for (;;) {
        size_t length = strcspn(list, ":");
        int written = length > 0 ? snprintf(path, PATH_MAX, "%.*s/%s", (int)length, list, name)
                                 : snprintf(path, PATH_MAX, "%s", name);
        if (written > 0 && written < PATH_MAX && is_program(path))
            return true;
        list += length;
        if (*list++ == 0)
            return false;
    }
}

static bool find(const char *name, char *path, char *why, size_t size)
{
    if (!strchr(name, '/')) {
        if (search_path(name, path))
            return true;
        snprintf(why, size, "cannot find '%s' in PATH", name);
        return false;
    }
    struct stat status;
    errno = ENAMETOOLONG;
    if (snprintf(path, PATH_MAX, "%s", name) < PATH_MAX) {
        if (is_program(path))
            return true;
        if (access(path, X_OK) == 0)
            errno = stat(path, &status) == 0 && S_ISDIR(status.st_mode) ? EISDIR : EACCES;
    }
    snprintf(why, size, "cannot run '%s': %s", name, strerror(errno));
    return false;
}

/* Whether running PATH gives rights that the caller has not. */
static bool gains_rights(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    if ((status.st_mode & S_ISUID) && status.st_uid != geteuid())
        return true;
    if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != getegid())
        return true;
    return geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

/* What a program's file says of how it is to be run. */
struct image {
    bool is_whole;         /* false: let the kernel say what is wrong with it */
    char loader[PATH_MAX]; /* empty: it has none */
    bool is_go;
};

static void read_loader(int fd, const Elf64_Phdr *part, char *loader, size_t size)
{
    size_t length = part->p_filesz < size ? part->p_filesz : size - 1;
    ssize_t got = pread(fd, loader, length, (off_t)part->p_offset);
    loader[got > 0 ? got : 0] = 0;
}

/* Go's linker leaves a note of its own. */
static bool is_go_note(int fd, const Elf64_Phdr *part)
{
    struct {
        Elf64_Nhdr header;
        char name[4];
    } note;
    return part->p_filesz >= sizeof note &&
           pread(fd, &note, sizeof note, (off_t)part->p_offset) == (ssize_t)sizeof note &&
           note.header.n_namesz == sizeof note.name && memcmp(note.name, "Go\0", 4) == 0;
}

static void read_image(int fd, const Elf64_Ehdr *header, struct image *image)
{
    *image = (struct image){ .is_whole = true };
    for (size_t i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr part;
        off_t at = (off_t)(header->e_phoff + i * sizeof part);
        if (pread(fd, &part, sizeof part, at) != (ssize_t)sizeof part)
            image->is_whole = false;
        else if (part.p_type == PT_INTERP)
            read_loader(fd, &part, image->loader, sizeof image->loader);
        else if (part.p_type == PT_NOTE && is_go_note(fd, &part))
            image->is_go = true;
    }
}

/* Why nothing can be put into a program with this image; NULL: it can. */
static const char *obstacle(const struct image *image)
{
    if (!image->is_whole)
        return NULL;
    if (!image->loader[0])
        return image->is_go ? "is a Go program without cgo, linked statically: there is no loader "
                              "that could put a library into it. Go has net/http/pprof of its own"
                            : "is linked statically: there is no loader that could put a library "
                              "into it. Link it with snag";
    if (strstr(image->loader, "ld-musl"))
        return "is linked with musl, and snag's libraries are with glibc";
    if (access(image->loader, X_OK) != 0)
        return "asks for a loader that is not there (`readelf -l` shows it): it is of another "
               "system";
    return NULL;
}

static bool check_elf(const char *path, int fd, const Elf64_Ehdr *header, char *why, size_t size)
{
    struct image image;
    if (header->e_ident[EI_CLASS] != ELFCLASS64) {
        snprintf(why, size, "%s is not a 64-bit program, and snag's libraries are" INSTEAD, path);
        return false;
    }
    read_image(fd, header, &image);
    const char *what = obstacle(&image);
    if (what)
        snprintf(why, size, "%s %s" INSTEAD, path, what);
    return !what;
}

/* Takes the words of a script's first line apart: TEXT behind the "#!", terminated. */
static void split_line(char *text, char **interpreter, char **argument)
{
    text[strcspn(text, "\n")] = 0;
    *interpreter = text + strspn(text, " \t");
    *argument = *interpreter + strcspn(*interpreter, " \t");
    if (**argument)
        *(*argument)++ = 0;
    *argument += strspn(*argument, " \t");
    for (size_t length = strlen(*argument); length > 0 && strchr(" \t\r", (*argument)[length - 1]);
         length--)
        (*argument)[length - 1] = 0;
}

/* Whether LINE's interpreter is env with the plain name of another one. env
 * would be the program that is preloaded, and the other one a child of it. */
static bool is_by_env(const char *interpreter, const char *argument)
{
    const char *slash = strrchr(interpreter, '/');
    return strcmp(slash ? slash + 1 : interpreter, "env") == 0 && *argument && *argument != '-' &&
           !strpbrk(argument, " \t=");
}

/* Goes from the script in program->path to its interpreter, in *NEXT. */
static bool enter_script(struct program *program, char *line, char *next, int depth, char *why,
                         size_t size)
{
    char *interpreter;
    char *argument;
    split_line(line, &interpreter, &argument);
    if (depth == 0 && is_by_env(interpreter, argument)) {
        program->by_env = true;
        snprintf(program->script, sizeof program->script, "%s", program->path);
        snprintf(program->interpreter, sizeof program->interpreter, "%s", argument);
        return find(argument, next, why, size);
    }
    if (find(interpreter, next, why, size))
        return true;
    snprintf(why, size, "cannot run '%s': it is a script for '%s', and that cannot be run: %s",
             program->path, interpreter, strerror(errno));
    return false;
}

/* False when WHY says what is wrong; true with *IS_SCRIPT and its first line. */
static bool look(const char *path, char *line, size_t line_size, bool *is_script, char *why,
                 size_t size)
{
    Elf64_Ehdr header;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : pread(fd, line, line_size - 1, 0);
    bool good = true;
    line[length > 0 ? length : 0] = 0;
    *is_script = length > 2 && line[0] == '#' && line[1] == '!';
    if (gains_rights(path)) {
        snprintf(why, size,
                 "%s gains rights when it is run (set-user-ID, set-group-ID or capabilities): the "
                 "loader puts no library into such a program" INSTEAD,
                 path);
        good = false;
    } else if (length >= (ssize_t)sizeof header && memcmp(line, ELFMAG, SELFMAG) == 0) {
        memcpy(&header, line, sizeof header);
        good = check_elf(path, fd, &header, why, size);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

bool program_find(const char *name, struct program *program, char *why, size_t size)
{
    char path[PATH_MAX];
    char next[PATH_MAX];
    *program = (struct program){ .by_env = false };
    if (!find(name, path, why, size))
        return false;
    memcpy(program->path, path, sizeof path);
    for (int depth = 0; depth < SCRIPTS_MAX; depth++) {
        char line[512];
        bool is_script;
        if (!look(path, line, sizeof line, &is_script, why, size))
            return false;
        if (!is_script)
            break;
        if (!enter_script(program, line + 2, next, depth, why, size))
            return false;
        memcpy(path, next, sizeof path);
        if (program->by_env && depth == 0)
            memcpy(program->path, path, sizeof path);
    }
    return true;
}
