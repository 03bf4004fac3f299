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
    if (snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && is_program(path))
        return true;
    snprintf(why, size, "cannot run '%s': %s", name, strerror(errno ? errno : ENOEXEC));
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

static bool has_loader(int fd, const Elf64_Ehdr *header)
{
    for (size_t i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr part;
        off_t at = (off_t)(header->e_phoff + i * sizeof part);
        if (pread(fd, &part, sizeof part, at) != (ssize_t)sizeof part)
            return true; /* let the kernel say what is wrong with it */
        if (part.p_type == PT_INTERP)
            return true;
    }
    return false;
}

static bool check_elf(const char *path, int fd, const Elf64_Ehdr *header, char *why, size_t size)
{
    if (header->e_ident[EI_CLASS] != ELFCLASS64) {
        snprintf(why, size, "%s is not a 64-bit program, and snag is", path);
        return false;
    }
    if (has_loader(fd, header))
        return true;
    snprintf(why, size,
             "%s is linked statically: there is no loader that could put a library into it; link "
             "it with snag instead",
             path);
    return false;
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
    return find(interpreter, next, why, size);
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
                 "loader puts no library into such a program",
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
