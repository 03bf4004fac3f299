/* handles_thread.c: threads, until they are joined or detached; see handles.h.
 *
 * A thread that has ended and was neither keeps its stack: that is the leak. A thread is entered by
 * who creates it, before it runs (threads.c): it may detach itself, or be joined by whom it tells
 * its id. Its id may be given out again as soon as it is joined: so it is taken out before. While
 * somebody waits in pthread_join it is not listed. */
#include "track/interpose.h"

#include "track/handles.h"

#include <link.h>
#include <pthread.h>
#include <threads.h>
#include <time.h>

static uintptr_t own_start, own_end;

/* The program itself is not taken for ours, though it may have libsnag in it. */
static int look_for_own(struct dl_phdr_info *info, size_t size, void *within)
{
    (void)size;
    uintptr_t place = (uintptr_t)within;
    bool found = false;
    uintptr_t start = UINTPTR_MAX, end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t first = info->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD)
            continue;
        start = first < start ? first : start;
        end = first + part->p_memsz > end ? first + part->p_memsz : end;
        found |= place >= first && place < first + part->p_memsz;
    }
    if (found && info->dlpi_name && info->dlpi_name[0] != 0) {
        own_start = start;
        own_end = end;
    }
    return found;
}

void handles_find_own(uintptr_t place)
{
    dl_iterate_phdr(look_for_own, (void *)place);
}

bool handles_thread_is_wanted(const void *caller, bool is_detached)
{
    uintptr_t place = (uintptr_t)caller;
    return handles_are_kept(HANDLES_THREADS) && !is_detached &&
           !(place >= own_start && place < own_end);
}

static const void *handle_of(pthread_t thread)
{
    return (const void *)(uintptr_t)thread;
}

/* Of a join that fails, as one of the own thread does, the thread is live as before. */
INTERPOSE(int, pthread_join, (pthread_t thread, void **value))
{
    bool was_live = handle_ended(HANDLES_THREADS, handle_of(thread));
    int status = REAL(pthread_join)(thread, value);
    if (status != 0 && was_live)
        handle_made(HANDLES_THREADS, handle_of(thread));
    return status;
}

INTERPOSE(int, thrd_join, (thrd_t thread, int *value))
{
    bool was_live = handle_ended(HANDLES_THREADS, handle_of(thread));
    int status = REAL(thrd_join)(thread, value);
    if (status != thrd_success && was_live)
        handle_made(HANDLES_THREADS, handle_of(thread));
    return status;
}

INTERPOSE(int, pthread_detach, (pthread_t thread))
{
    handle_ended(HANDLES_THREADS, handle_of(thread));
    return REAL(pthread_detach)(thread);
}

INTERPOSE(int, thrd_detach, (thrd_t thread))
{
    handle_ended(HANDLES_THREADS, handle_of(thread));
    return REAL(thrd_detach)(thread);
}

/* These may be called again and again before the thread has ended, and must not change who holds
 * it: it is taken out when it is joined. */
#define JOINER(name, parameters, arguments)                                                        \
    INTERPOSE(int, name, parameters)                                                               \
    {                                                                                              \
        if (!real_function(CALL_##name))                                                           \
            return ENOSYS;                                                                         \
        int status = REAL(name) arguments;                                                         \
        if (status == 0)                                                                           \
            handle_ended(HANDLES_THREADS, handle_of(thread));                                      \
        return status;                                                                             \
    }

JOINER(pthread_tryjoin_np, (pthread_t thread, void **value), (thread, value))
JOINER(pthread_timedjoin_np, (pthread_t thread, void **value, const struct timespec *until),
       (thread, value, until))
JOINER(pthread_clockjoin_np,
       (pthread_t thread, void **value, clockid_t clock, const struct timespec *until),
       (thread, value, clock, until))
