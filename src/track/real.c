/* real.c: the functions that ours stand before; see track.h.
 *
 * Found by dlsym(RTLD_NEXT): what comes after this library in the loader's
 * order, be it libc or another library that was preloaded. Before the constructor has
 * done so, a call looks its function up by itself. */
#include "track/track.h"

#include "track/vfork.h"

#include <dlfcn.h>

static _Atomic uintptr_t real[CALL_COUNT];

static const char *const names[CALL_COUNT] = {
#define TRACK_CALL_NAME(name, makes) [CALL_##name] = #name,
    TRACK_CALLS(TRACK_CALL_NAME)
#undef TRACK_CALL_NAME
};

uintptr_t real_function(enum track_call call)
{
    uintptr_t found = atomic_load_explicit(&real[call], memory_order_relaxed);
    if (found == 0) {
        found = (uintptr_t)dlsym(RTLD_NEXT, names[call]);
        atomic_store_explicit(&real[call], found, memory_order_relaxed);
    }
    return found;
}

void real_find_all(void)
{
    for (int call = CALL_none + 1; call < CALL_COUNT; call++)
        real_function((enum track_call)call);
    vfork_begin();
}
