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
#include <stdatomic.h>
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

/* Written under the callers' lock; and by a thread that nobody waited for (listener.c), whose
 * engine is as good. */
static _Atomic(const struct engine_api *) loaded;
static _Atomic pid_t loaded_by;

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
    return length > 0 && (size_t)length < size && access(path, F_OK) == 0;
}

/* Asked once: a later start, in a child of fork, is beside threads that may set variables. */
static bool under_valgrind(void)
{
    static atomic_int known; /* 0: not asked yet, 1: no, 2: yes */
    if (atomic_load(&known) == 0) {
        const char *preload = getenv("LD_PRELOAD");
        atomic_store(&known, preload && strstr(preload, "vgpreload") ? 2 : 1);
    }
    return atomic_load(&known) == 2;
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

/* Why the engine could not be opened: of several causes the first that is more than "not there". */
struct failure {
    int error;
    char words[300];
};

static bool ends_with(const char *words, const char *end)
{
    size_t length = strlen(words);
    size_t end_length = strlen(end);
    return length >= end_length && strcmp(words + length - end_length, end) == 0;
}

/* The loader tells no errno. It ends its words with those for one, in the language of the locale;
 * where it does not, the file is there and is not what it should be. */
static int errno_of(const char *words)
{
    static const int known[] = { ENOENT, EMFILE, ENFILE, ENOMEM, EACCES, EPERM, ELOOP, EIO };
    char text[128];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ends_with(words, strerror_r(known[i], text, sizeof text)))
            return known[i];
    return ELIBBAD;
}

static void keep_failure(struct failure *failure)
{
    const char *words = dlerror();
    int error = words ? errno_of(words) : ENOENT;
    if (failure->error != 0 && (failure->error != ENOENT || error == ENOENT))
        return;
    failure->error = error;
    snprintf(failure->words, sizeof failure->words, "%s", words ? words : SNAG_ENGINE_NAME);
}

/* Nothing is gained by other places or other ways while that lasts. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

static void *open_somewhere(bool in_namespace, struct failure *failure)
{
    char beside[PATH_MAX];
    const char *paths[] = {
        path_beside(beside, sizeof beside) ? beside : SNAG_ENGINE_NAME,
        SNAG_ENGINE_DIRECTORY "/" SNAG_ENGINE_NAME,
        SNAG_ENGINE_NAME,
    };
    void *handle = NULL;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (handle || is_shortage(failure->error))
            break;
        handle = in_namespace ? dlmopen(LM_ID_NEWLM, paths[i], RTLD_NOW | RTLD_LOCAL)
                              : dlopen(paths[i], RTLD_NOW | RTLD_LOCAL);
        if (!handle)
            keep_failure(failure);
    }
    return handle;
}

static void *open_engine(const char **note, struct failure *failure)
{
    static const char shared_heap[] =
        "the engine shares the service's heap: the loader gave no namespace of its own";
    bool has_namespaces = !under_valgrind();
    void *handle = has_namespaces ? open_somewhere(true, failure) : NULL;
    *note = NULL;
    if (!handle) {
        handle = open_somewhere(false, failure);
        *note = handle && has_namespaces ? shared_heap : NULL;
    }
    return handle;
}

int engine_load(const struct engine_api **api, const char **note, char *error, size_t size)
{
    *note = NULL;
    const struct engine_api *before = atomic_load(&loaded);
    if (before && atomic_load(&loaded_by) == getpid()) {
        *api = before;
        return 0;
    }
    if (is_static_program()) {
        snprintf(error, size,
                 "a static program cannot load the engine: link the C library dynamically");
        return -ENOTSUP;
    }
    struct failure failure = { 0 };
    void *handle = open_engine(note, &failure);
    if (!handle) {
        snprintf(error, size, "the engine cannot be loaded: %s", failure.words);
        return -failure.error;
    }
    const struct engine_api *(*entry)(void) =
        (const struct engine_api *(*)(void))(uintptr_t)dlsym(handle, "snag_engine");
    const struct engine_api *found = entry ? entry() : NULL;
    if (!found || found->abi != ENGINE_ABI) {
        snprintf(error, size, "%s is not of this version of snag (%s): install both together",
                 SNAG_ENGINE_NAME, SNAG_VERSION);
        return -ELIBBAD;
    }
    atomic_store(&loaded, found);
    atomic_store(&loaded_by, getpid());
    *api = found;
    return 0;
}

#endif
