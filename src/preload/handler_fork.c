/* handler_fork.c: a fork in a signal handler of a program that has no thread but ours; see
 * handler_fork.h.
 *
 * In a process with threads the C library's fork takes malloc's and stdio's locks, so that the
 * child finds them free. A handler that interrupted malloc would wait for its own thread. In a
 * process without threads it takes none, and programs rely on that: handlers of SIGCHLD that start
 * a child anew, handlers of SIGSEGV that run a debugger. Our thread must not change it for them.
 *
 * With it alone beside the caller no lock of the service's is another thread's: the listener's
 * heap is its own. So _Fork, which takes none, does what fork would have done without us, but for
 * two things. It runs no handlers of pthread_atfork: those of snag are run here, and where anybody
 * else has some, fork is what it always was (a library that was loaded with RTLD_DEEPBIND is not
 * seen). And the child's C library goes on counting our thread, so the end of main by pthread_exit
 * ends that child without its exit handlers. */
#include "preload/handler_fork.h"

#include "api/inside.h"
#include "base/stack.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define OURS_MAX 8

typedef void watcher(void);
typedef int registers(watcher *prepare, watcher *parent, watcher *child, void *library);
typedef pid_t forks(void);

/* In the order in which they came; before main, mostly. */
static struct {
    watcher *prepare;
    watcher *parent;
    watcher *child;
} ours[OURS_MAX];
static atomic_size_t our_count;
static atomic_bool others_watch;

static forks *real_fork; /* _Fork; NULL before glibc 2.34 */

void handler_fork_prepare(void)
{
    real_fork = (forks *)(uintptr_t)dlsym(RTLD_NEXT, "_Fork");
}

static bool is_in_libsnag(watcher *function)
{
    Dl_info of_function;
    Dl_info of_library;
    return dladdr((const void *)(uintptr_t)function, &of_function) &&
           dladdr((const void *)(uintptr_t)snag_inside, &of_library) &&
           of_function.dli_fbase == of_library.dli_fbase;
}

static bool keep(watcher *prepare, watcher *parent, watcher *child)
{
    watcher *any = prepare ? prepare : parent ? parent : child;
    size_t at = atomic_load(&our_count);
    if (!any || at == OURS_MAX || !is_in_libsnag(any))
        return false;
    ours[at].prepare = prepare;
    ours[at].parent = parent;
    ours[at].child = child;
    atomic_store(&our_count, at + 1);
    return true;
}

/* What pthread_atfork, which is a part of each program and library, calls in the C library. */
__attribute__((visibility("default"))) registers __register_atfork;

int __register_atfork(watcher *prepare, watcher *parent, watcher *child, void *library)
{
    registers *real = (registers *)(uintptr_t)dlsym(RTLD_NEXT, "__register_atfork");
    if (!keep(prepare, parent, child))
        atomic_store(&others_watch, true);
    return real(prepare, parent, child, library);
}

/* A handler's caller is the code that it interrupted, at an address that follows no call. */
bool handler_fork_is_for(const void *frame)
{
    uint64_t frames[STACK_FRAMES_MAX];
    if (!real_fork || atomic_load(&others_watch))
        return false;
    struct stack_walk walk = snag_inside()->stack_here(frame, 0, frames, STACK_FRAMES_MAX);
    for (size_t i = 0; i < walk.count; i++)
        if (frames[i] & FRAME_EXACT)
            return true;
    return false;
}

pid_t handler_fork(void)
{
    size_t count = atomic_load(&our_count);
    for (size_t i = count; i > 0; i--)
        if (ours[i - 1].prepare)
            ours[i - 1].prepare();
    pid_t process = real_fork();
    for (size_t i = 0; i < count; i++) {
        watcher *after = process == 0 ? ours[i].child : ours[i].parent;
        if (after)
            after();
    }
    return process;
}
