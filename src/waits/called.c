/* called.c: which function of the C library a thread waits in; see called.h.
 *
 * In a stripped library the innermost frames have no names: they are static
 * functions, and the exported one may have jumped to them and left no frame. But
 * the program called it by name: the call instruction before the first return address
 * outside the library leads through the PLT to its first byte, which has a
 * symbol. Inside the library a frame counts by the function it lies in.
 *
 * The walk goes from the inside out and ends where the library does: further
 * out there may be a function of the same kind whose callback this is. */
#include "waits/called.h"

#include "base/stack.h"
#include "modules/modules.h"
#include "sources/threads.h"
#include "symbolize/symbolize.h"
#include "unwind/unwind.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define JUMPS_MAX 64
#define WRAPPERS_MAX 2 /* that jump to one another, and at last to the library */
#define DEPTH_MAX 8    /* frames of the library itself; in a static program others follow */

/* By name, for bsearch; without underscores in front. */
static const struct called table[] = {
    { "call_once", CALLED_ONCE },
    { "calloc", CALLED_LIBRARY },
    { "clock_nanosleep", CALLED_SLEEP },
    { "cnd_timedwait", CALLED_CONDITION },
    { "cnd_wait", CALLED_CONDITION },
    { "cxa_guard_acquire", CALLED_GUARD },
    { "exit", CALLED_LIBRARY },
    { "fork", CALLED_LIBRARY },
    { "free", CALLED_LIBRARY },
    { "mallinfo2", CALLED_LIBRARY },
    { "malloc", CALLED_LIBRARY },
    { "malloc_trim", CALLED_LIBRARY },
    { "mtx_lock", CALLED_MUTEX },
    { "mtx_timedlock", CALLED_MUTEX },
    { "nanosleep", CALLED_SLEEP },
    { "new_sem_wait", CALLED_SEMAPHORE },
    { "poll", CALLED_POLL },
    { "posix_memalign", CALLED_LIBRARY },
    { "pthread_barrier_wait", CALLED_BARRIER },
    { "pthread_clockjoin_np", CALLED_JOIN },
    { "pthread_cond_clockwait", CALLED_CONDITION },
    { "pthread_cond_timedwait", CALLED_CONDITION },
    { "pthread_cond_wait", CALLED_CONDITION },
    { "pthread_create", CALLED_LIBRARY },
    { "pthread_join", CALLED_JOIN },
    { "pthread_mutex_clocklock", CALLED_MUTEX },
    { "pthread_mutex_lock", CALLED_MUTEX },
    { "pthread_mutex_timedlock", CALLED_MUTEX },
    { "pthread_once", CALLED_ONCE },
    { "pthread_rwlock_clockrdlock", CALLED_READ_LOCK },
    { "pthread_rwlock_clockwrlock", CALLED_WRITE_LOCK },
    { "pthread_rwlock_rdlock", CALLED_READ_LOCK },
    { "pthread_rwlock_timedrdlock", CALLED_READ_LOCK },
    { "pthread_rwlock_timedwrlock", CALLED_WRITE_LOCK },
    { "pthread_rwlock_wrlock", CALLED_WRITE_LOCK },
    { "pthread_timedjoin_np", CALLED_JOIN },
    { "realloc", CALLED_LIBRARY },
    { "sem_clockwait", CALLED_SEMAPHORE },
    { "sem_timedwait", CALLED_SEMAPHORE },
    { "sem_wait", CALLED_SEMAPHORE },
    { "sleep", CALLED_SLEEP },
    { "thrd_join", CALLED_JOIN },
    { "thrd_sleep", CALLED_SLEEP },
    { "usleep", CALLED_SLEEP },
};

static const char *without_underscores(const char *name)
{
    return name + strspn(name, "_");
}

/* The name in the table's spelling: "__GI___pthread_mutex_lock", "___interceptor_sem_wait" and
 * "sem_wait@@GLIBC_2.34" are its function's. */
static void plain_name(const char *name, char *plain, size_t size)
{
    static const char *const prefixes[] = { "GI_", "interceptor_" };
    name = without_underscores(name);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            name = without_underscores(name + strlen(prefixes[i]));
    size_t length = strcspn(name, "@.");
    if (length >= size)
        length = size - 1;
    memcpy(plain, name, length);
    plain[length] = 0;
}

static int compare(const void *name, const void *row)
{
    return strcmp(name, ((const struct called *)row)->name);
}

static const struct called *by_name(const struct location *location)
{
    char plain[64];
    if (!location->has_function)
        return NULL;
    plain_name(location->lines[location->line_count - 1].system_name, plain, sizeof plain);
    return bsearch(plain, table, sizeof table / sizeof *table, sizeof *table, compare);
}

static const struct called *by_place(const struct namer *namer, uint64_t frame)
{
    return by_name(symbolize(namer->symbolizer, frame_lookup(frame)));
}

/* The function that begins at ADDRESS. */
static const struct called *by_start(const struct namer *namer, uint64_t address)
{
    const struct location *location = symbolize(namer->symbolizer, address);
    return location->function_offset == 0 ? by_name(location) : NULL;
}

static bool jumps_to(const struct namer *namer, uint64_t function, uint64_t target)
{
    uint64_t targets[JUMPS_MAX];
    size_t count = unwind_jumps(namer->unwinder, function, targets, JUMPS_MAX);
    for (size_t i = 0; i < count; i++)
        if (targets[i] == target)
            return true;
    return false;
}

/* The known function by which the one at FUNCTION, a wrapper that left no frame, has come to the
 * one at TARGET, jumping from each to the next. */
static const struct called *by_jumps(const struct namer *namer, uint64_t function, uint64_t target,
                                     int wrappers)
{
    uint64_t targets[JUMPS_MAX];
    size_t count = unwind_jumps(namer->unwinder, function, targets, JUMPS_MAX);
    const struct called *called = NULL;
    for (size_t i = 0; i < count && !called; i++) {
        called = by_start(namer, targets[i]);
        if (called && targets[i] != target && !jumps_to(namer, targets[i], target))
            called = NULL;
    }
    for (size_t i = 0; i < count && !called && wrappers > 1; i++)
        called = by_jumps(namer, targets[i], target, wrappers - 1);
    return called;
}

/* What runs in FRAME, by the call before the return address CALLER. */
static const struct called *by_call(const struct namer *namer, uint64_t frame, uint64_t caller)
{
    uint64_t function;
    if ((caller & FRAME_EXACT) || !unwind_called(namer->unwinder, frame_address(caller), &function))
        return NULL;
    const struct called *called = by_start(namer, function);
    uint64_t runs = unwind_function(namer->unwinder, frame_lookup(frame));
    if (!called && runs != 0 && runs != function)
        called = by_jumps(namer, function, runs, WRAPPERS_MAX);
    return called;
}

/* A system call that the program makes itself by syscall(2): its caller is the one who waits. */
static bool is_bare_call(const struct namer *namer, uint64_t frame)
{
    const struct location *location = symbolize(namer->symbolizer, frame_lookup(frame));
    return location->has_function && location->line_count > 0 &&
           strcmp(location->lines[location->line_count - 1].system_name, "syscall") == 0;
}

size_t called_depth(const struct namer *namer, const uint64_t *frames, size_t count)
{
    size_t depth = count > 0;
    size_t most = count > 0 && is_bare_call(namer, frames[0]) ? 1 : DEPTH_MAX;
    if (most > count)
        most = count;
    if (count == 0)
        return 0;
    const struct module *library = modules_find(namer->modules, frame_lookup(frames[0]));
    while (depth < most && !(frames[depth] & FRAME_EXACT) && /* out of a signal handler */
           modules_find(namer->modules, frame_lookup(frames[depth])) == library)
        depth++;
    return depth;
}

const struct called *called_at(const struct namer *namer, const uint64_t *frames, size_t count,
                               size_t index)
{
    const struct called *called = by_place(namer, frames[index]);
    return called || index + 1 >= count ? called : by_call(namer, frames[index], frames[index + 1]);
}

static const struct called *find(const struct namer *namer, const uint64_t *frames, size_t count)
{
    size_t depth = called_depth(namer, frames, count);
    const struct called *called = NULL;
    for (size_t i = 0; !called && i < depth; i++)
        called = called_at(namer, frames, count, i);
    /* The first one outside may be a wrapper of a name that is known as well. */
    return called || depth >= count ? called : by_place(namer, frames[depth]);
}

const struct called *called_find(struct namer *namer, const struct thread_sample *thread)
{
    size_t slot = ((uintptr_t)thread->frames >> 4) % NAMER_KEPT;
    if (!thread->frames || namer->kept[slot].frames != thread->frames) {
        namer->kept[slot].called = find(namer, thread->frames, thread->frame_count);
        namer->kept[slot].frames = thread->frames;
    }
    return namer->kept[slot].called;
}
