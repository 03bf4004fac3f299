/* engine_load.c: the engine, loaded into a link-map namespace of its own.
 *
 * dlmopen gives the engine and everything it needs (libevent, libdw,
 * libunwind, and a second C library) apart from the service: no symbol of
 * theirs is visible to it, and no lock of the service's malloc or stdio is
 * theirs. Where that cannot be had (under valgrind, which knows one C library
 * only; more namespaces than the loader has), a private dlopen serves: symbols
 * stay hidden, the heap is shared. A static program is refused. Never closed again: a late signal
 * may still be on its way to the engine's handler. */
#include "api/engine_load.h"

#include <snag/snag.h>

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#if defined(SNAG_ENGINE_LINKED)

int engine_load(const struct engine_api **api, const char **note, char *error, size_t size)
{
    (void)error;
    (void)size;
    *note = NULL;
    *api = snag_engine();
    return 0;
}

#else

static const struct engine_api *loaded; /* guarded by the callers' lock */
static pid_t loaded_by;

/* Beside libsnag (or the program, when snag is linked into it), where the
 * build and the installation put it; false when that is not known. */
static bool path_beside(char *path, size_t size)
{
    Dl_info info;
    if (!dladdr((const void *)(uintptr_t)snag_start, &info) || !info.dli_fname)
        return false;
    const char *slash = strrchr(info.dli_fname, '/');
    if (!slash)
        return false;
    int length = snprintf(path, size, "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname,
                          SNAG_ENGINE_NAME);
    return length > 0 && (size_t)length < size && access(path, R_OK) == 0;
}

static bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

/* A static program has no interpreter. What it loads gets a second loader, which knows
 * nothing of the threads' thread-local storage: the first use of any would end the process. */
static bool is_static_program(void)
{
    const ElfW(Phdr) *part = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    size_t count = part ? getauxval(AT_PHNUM) : 0;
    bool has_interpreter = count == 0;
    for (size_t i = 0; i < count; i++)
        has_interpreter |= part[i].p_type == PT_INTERP;
    return !has_interpreter;
}

static void *open_engine(const char **note)
{
    static const char shared_heap[] =
        "the engine shares the service's heap: the loader gave no namespace of its own";
    char beside[PATH_MAX];
    const char *paths[] = {
        path_beside(beside, sizeof beside) ? beside : SNAG_ENGINE_NAME,
        SNAG_ENGINE_DIRECTORY "/" SNAG_ENGINE_NAME,
        SNAG_ENGINE_NAME,
    };
    void *handle = NULL;
    size_t count = sizeof paths / sizeof *paths;
    *note = NULL;
    if (!under_valgrind())
        for (size_t i = 0; i < count && !handle; i++)
            handle = dlmopen(LM_ID_NEWLM, paths[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        for (size_t i = 0; i < count && !handle; i++)
            handle = dlopen(paths[i], RTLD_NOW | RTLD_LOCAL);
        *note = handle && !under_valgrind() ? shared_heap : NULL;
    }
    return handle;
}

int engine_load(const struct engine_api **api, const char **note, char *error, size_t size)
{
    *note = NULL;
    if (loaded && loaded_by == getpid()) {
        *api = loaded;
        return 0;
    }
    if (is_static_program()) {
        snprintf(error, size,
                 "a static program cannot load the engine: link the C library dynamically");
        return -ENOTSUP;
    }
    void *handle = open_engine(note);
    if (!handle) {
        const char *why = dlerror();
        snprintf(error, size, "the engine cannot be loaded: %s", why ? why : SNAG_ENGINE_NAME);
        return -ENOENT;
    }
    const struct engine_api *(*entry)(void) =
        (const struct engine_api *(*)(void))(uintptr_t)dlsym(handle, "snag_engine");
    const struct engine_api *found = entry ? entry() : NULL;
    if (!found || found->abi != ENGINE_ABI) {
        snprintf(error, size, "%s is not of this version of snag (%s): install both together",
                 SNAG_ENGINE_NAME, SNAG_VERSION);
        return -ELIBBAD;
    }
    *api = loaded = found;
    loaded_by = getpid();
    return 0;
}

#endif
