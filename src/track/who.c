/* who.c: which thread this is, and whether it is of this process; see track.h.
 *
 * Three things would make a record wrong, and none may cost a system call each time:
 *
 *   - A child of fork has copies of these tables, and of its parent's thread id.
 *     One page is given to it empty (MADV_WIPEONFORK); finding it so, the child
 *     takes the tables over.
 *   - A child of vfork runs in the memory of its parent. Whoever is about to
 *     vfork sets a mark for the calling thread (vfork.c); as long as it is set, the
 *     process id is asked for at each record.
 *   - A thread may have a descriptor table of its own, as the listener has. */
#include "track/track.h"

#include "track/vfork.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local struct {
    uint32_t epoch; /* that `tid` is of; 0: not known yet */
    int32_t tid;
    bool left;
} me __attribute__((tls_model("initial-exec")));

static _Atomic uint32_t *alive; /* in the page; 0 in a new child of fork */
static _Atomic int32_t own_pid;
static bool (*is_listener)(void);
static bool ask_always; /* somebody else stands before vfork, and does not call ours */

static int32_t ask_pid(void)
{
    return (int32_t)syscall(SYS_getpid);
}

static void child_after_fork(void)
{
    atomic_store(alive, 0);
}

void who_begin(bool (*is_own_thread)(void))
{
    is_listener = is_own_thread;
    static _Atomic uint32_t word;
    alive = &word;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, 4096, MADV_WIPEONFORK) == 0)
        alive = page;
    else /* Linux before 4.14 */
        pthread_atfork(NULL, NULL, child_after_fork);
    atomic_store(alive, 1);
    atomic_store(&own_pid, ask_pid());
    ask_always = !vfork_is_watched();
}

/* The tables are this process's from now on. Entries that another thread of
 * the parent was writing are marked with the old epoch. */
static void take_over(void)
{
    uint32_t dead = 0;
    if (!atomic_compare_exchange_strong(alive, &dead, 1))
        return;
    atomic_store(&own_pid, ask_pid());
    threads_forget();
    atomic_fetch_add(&snag_track_root.epoch, 1);
}

static int32_t find_out(void)
{
    me.left |= is_listener();
    if (me.left)
        return 0;
    if (atomic_load(alive) == 0)
        take_over();
    if (ask_always || vfork_mark) {
        if (ask_pid() != atomic_load(&own_pid))
            return 0;
        vfork_mark = 0; /* the child is gone: this is the parent again */
    }
    me.tid = (int32_t)syscall(SYS_gettid);
    me.epoch = atomic_load(&snag_track_root.epoch);
    return me.tid;
}

int32_t who_am_i(void)
{
    uint32_t epoch = atomic_load_explicit(&snag_track_root.epoch, memory_order_relaxed);
    bool known = me.epoch == epoch && atomic_load_explicit(alive, memory_order_relaxed) &&
                 !vfork_mark && !ask_always && !me.left;
    return known ? me.tid : find_out();
}

void who_leaves(void)
{
    me.left = true;
}
