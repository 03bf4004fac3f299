/* execs.c: the process becomes another program; see execs.h.
 *
 * A service is often begun by a script that ends in exec, or by env, nice and the like. It is still
 * the process that was asked for. Its children are not: they have another process id than the
 * listener, also those of vfork, which run in its memory. With --children they are, also where the
 * service makes an environment for them, as nginx does for the binary that it is upgraded to.
 * Nothing is allocated here, since exec may come from a signal handler or a child of vfork. */
#include "preload/execs.h"

#include "preload/listen.h"
#include "preload/variables.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef int exec_function(const char *file, char *const *arguments, char *const *environment);
typedef int descriptor_function(int fd, char *const *arguments, char *const *environment);

static _Atomic enum { NOTHING, THIS_PROCESS, CHILDREN_TOO } takes_along;

static exec_function *real_execve;
static exec_function *real_execvpe;
static descriptor_function *real_fexecve;

/* Before the constructor of this library another one may already call. */
static void find_all(void)
{
    if (real_fexecve)
        return;
    real_execve = (exec_function *)(uintptr_t)dlsym(RTLD_NEXT, "execve");
    real_execvpe = (exec_function *)(uintptr_t)dlsym(RTLD_NEXT, "execvpe");
    real_fexecve = (descriptor_function *)(uintptr_t)dlsym(RTLD_NEXT, "fexecve");
}

void execs_watch(bool children)
{
    find_all();
    atomic_store(&takes_along, children ? CHILDREN_TOO : THIS_PROCESS);
}

/* Children have it in their environment, unless they were given one of their own. */
static bool is_to_have_it(char *const *environment)
{
    if (atomic_load(&takes_along) == CHILDREN_TOO)
        return environment && !variables_are_in(environment);
    return atomic_load(&takes_along) == THIS_PROCESS && environment && listen_is_on();
}

static size_t length_of(char *const *list)
{
    size_t length = 0;
    while (list && list[length])
        length++;
    return length;
}

/* FILE by FUNCTION, or FD where that is NULL. */
static int become(exec_function *function, const char *file, int fd, char *const *arguments,
                  char *const *environment)
{
    find_all();
    size_t count = is_to_have_it(environment) ? length_of(environment) + VARIABLES_MORE + 1 : 1;
    char *more[count];
    char text[3 * PATH_MAX];
    if (count > 1 && variables_for_exec(environment, more, text, sizeof text))
        environment = more;
    return function ? function(file, arguments, environment)
                    : real_fexecve(fd, arguments, environment);
}

/* Whether FILE is a program without a loader, to which the variables would stay, for its children
 * to find. What cannot be read, or is a script, is taken for one that has it. */
static bool is_static(const char *file)
{
    Elf64_Ehdr header;
    Elf64_Phdr part;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_program = pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
                      memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
    bool has_loader = false;
    for (size_t i = 0; is_program && !has_loader && i < header.e_phnum; i++)
        has_loader = pread(fd, &part, sizeof part, (off_t)(header.e_phoff + i * sizeof part)) !=
                         (ssize_t)sizeof part ||
                     part.p_type == PT_INTERP;
    syscall(SYS_close, fd);
    return is_program && !has_loader;
}

static int become_file(const char *file, char *const *arguments, char *const *environment)
{
    find_all();
    if (is_to_have_it(environment) && is_static(file))
        return real_execve(file, arguments, environment);
    return become(real_execve, file, -1, arguments, environment);
}

static int become_found(const char *file, char *const *arguments, char *const *environment)
{
    find_all();
    return become(real_execvpe, file, -1, arguments, environment);
}

EXPORT int execve(const char *file, char *const *arguments, char *const *environment)
{
    return become_file(file, arguments, environment);
}

EXPORT int execv(const char *file, char *const *arguments)
{
    return become_file(file, arguments, environ);
}

EXPORT int execvpe(const char *file, char *const *arguments, char *const *environment)
{
    return become_found(file, arguments, environment);
}

EXPORT int execvp(const char *file, char *const *arguments)
{
    return become_found(file, arguments, environ);
}

EXPORT int fexecve(int fd, char *const *arguments, char *const *environment)
{
    return become(NULL, NULL, fd, arguments, environment);
}

/* ---- With the arguments in the call ---- */

static size_t count_arguments(const char *first, va_list list)
{
    size_t count = 0;
    while (first) {
        count++;
        first = va_arg(list, const char *);
    }
    return count;
}

/* Declares `arguments`, the list that begins with FIRST, and leaves LIST behind its NULL. */
#define ARGUMENTS(first, list)                                                                     \
    va_list list;                                                                                  \
    va_start(list, first);                                                                         \
    size_t argument_count = count_arguments(first, list);                                          \
    va_end(list);                                                                                  \
    char *arguments[argument_count + 1];                                                           \
    va_start(list, first);                                                                         \
    arguments[0] = (char *)(uintptr_t)first;                                                       \
    for (size_t i = 1; i <= argument_count; i++)                                                   \
    arguments[i] = va_arg(list, char *)

EXPORT int execl(const char *file, const char *first, ...)
{
    ARGUMENTS(first, list);
    va_end(list);
    return become_file(file, arguments, environ);
}

EXPORT int execlp(const char *file, const char *first, ...)
{
    ARGUMENTS(first, list);
    va_end(list);
    return become_found(file, arguments, environ);
}

EXPORT int execle(const char *file, const char *first, ...)
{
    ARGUMENTS(first, list);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return become_file(file, arguments, environment);
}
