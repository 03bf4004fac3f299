/* forks.c: processes that the service makes by fork; see forks.h.
 *
 * A child of fork has no listener. It may get one, begun by a thread that waits first:
 *
 *   --children   in every child, after CHILD_DELAY_MS. One that runs another program or ends soon
 *                pays for a thread that sleeps, and no more; privileges are dropped by then.
 *   otherwise    in a child that becomes a daemon: it begins a session of its own (setsid), and
 *                its parent ends. The thread looks for HEIR_LOOKS whether that happens; so the
 *                children of a service that goes on itself are left as they are.
 *
 * The calls are stood before, not watched by pthread_atfork: a handler of ours would run before
 * those of an allocator that was loaded later, whose locks are not released in the child yet. By
 * the time the call returns they are. A process made by a raw clone or by _Fork, which allow for
 * no more than calls that are safe in a signal handler, is left alone, and so is a child of vfork.
 */
#include "preload/forks.h"

#include "api/inside.h"
#include "preload/handler_fork.h"
#include "preload/listen.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)256 << 10)
#define CHILD_DELAY_MS 200
#define HEIR_LOOK_MS 20
#define HEIR_LOOKS 50
#define SESSION_SECONDS 2 /* a fork so soon after setsid may be the daemon's second one */
#define START_WAIT_MS 2000

/* What a child inherits of this; the process that is looked at is always the calling one. */
static struct {
    enum { LEFT_ALONE, EACH_CHILD, ONE_HEIR } mode;
    _Atomic pid_t listener; /* the process whose listener is to go on */
    pid_t parent;           /* of this process, if it is one that was forked */
    bool is_heir;           /* none but snag's threads ran beside those that forked */
    atomic_bool waits;      /* a thread of this process waits */
    time_t session;         /* when setsid was called in this line of processes; 0: not */
} line;

/* A fork must not come in the middle of a start, which is in the loader and the allocator. Either
 * says first what it is about to do and then looks at the other. */
static atomic_int forking; /* threads in fork */
static _Atomic uint32_t starting;

static void pause_ms(long milliseconds)
{
    const struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static time_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void start_begins(void)
{
    for (;;) {
        atomic_store(&starting, 1);
        if (atomic_load(&forking) == 0)
            return;
        atomic_store(&starting, 0);
        syscall(SYS_futex, &starting, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
        pause_ms(1);
    }
}

static void start_ends(void)
{
    atomic_store(&starting, 0);
    syscall(SYS_futex, &starting, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* A start takes milliseconds. One that hangs holds up nobody for longer than START_WAIT_MS. */
static void fork_begins(void)
{
    static const struct timespec look = { .tv_nsec = 10000000 };
    atomic_fetch_add(&forking, 1);
    for (int i = 0; i < START_WAIT_MS / 10 && atomic_load(&starting) == 1; i++)
        syscall(SYS_futex, &starting, FUTEX_WAIT_PRIVATE, 1, &look, NULL, 0);
}

/* ---- In the thread that waits ---- */

static bool is_zombie(pid_t process)
{
    char name[32];
    char text[256];
    snprintf(name, sizeof name, "/proc/%d/stat", (int)process);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    text[length > 0 ? length : 0] = 0;
    const char *state = strrchr(text, ')');
    return state && (state[2] == 'Z' || state[2] == 'X');
}

static bool has_ended(pid_t process)
{
    return (kill(process, 0) != 0 && errno == ESRCH) || is_zombie(process);
}

/* The parent is asked for first: it needs no look into /proc, and mostly it is the listener. */
static bool is_left_alone(void)
{
    return getppid() != line.parent && (line.parent == line.listener || has_ended(line.listener));
}

static void begin_child(void)
{
    pause_ms(CHILD_DELAY_MS);
    start_begins();
    listen_begin_in_child();
    start_ends();
}

static void inherit(void)
{
    for (int i = 0; i < HEIR_LOOKS; i++) {
        if (is_left_alone()) {
            start_begins();
            listen_take_over(line.listener);
            if (listen_is_on())
                line.listener = getpid();
            start_ends();
            return;
        }
        pause_ms(HEIR_LOOK_MS);
    }
}

static void *wait_and_begin(void *unused)
{
    (void)unused;
    prctl(PR_SET_NAME, "snag-start");
    if (line.mode == EACH_CHILD)
        begin_child();
    else
        inherit();
    line.waits = false;
    return NULL;
}

static void begin_to_wait(void)
{
    int before = errno;
    line.waits = true;
    if (snag_inside()->quiet_thread(STACK_SIZE, wait_and_begin, NULL) != 0)
        line.waits = false; /* no room for a thread: none for a listener either */
    errno = before;
}

/* ---- In the service's threads ---- */

/* Whether the calling thread is the only one of the service. */
static bool is_single_threaded(void)
{
    struct stat tasks;
    int before = errno;
    nlink_t most = 2 + (nlink_t)2 + listen_watches(); /* . and .., the caller and snag's */
    bool single = stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink <= most;
    errno = before;
    return single;
}

static bool is_of_new_session(void)
{
    return line.session != 0 && now_seconds() - line.session <= SESSION_SECONDS;
}

/* What the call to come is made in. Signals wait meanwhile: a handler that forks, which a program
 * with no thread but ours may well have, would meet the locks of the fork that it interrupts. */
struct before_fork {
    pid_t process;
    bool is_heir;
    bool in_handler; /* and no thread of the service's but the caller: see handler_fork.h */
    sigset_t signals;
};

/* All but those that are to end a process, and those that tell of its own mistakes. */
static void hold_signals(sigset_t *before)
{
    static const int others[] = { SIGTERM, SIGINT, SIGQUIT, SIGSEGV, SIGBUS,
                                  SIGFPE,  SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    sigset_t held;
    sigfillset(&held);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        sigdelset(&held, others[i]);
    pthread_sigmask(SIG_BLOCK, &held, before);
}

/* FRAME is that of a call that can be made in another way; NULL: it cannot. */
static struct before_fork before_fork(const void *frame)
{
    struct before_fork before = { .process = getpid() };
    if (line.mode == ONE_HEIR)
        before.is_heir = (line.listener == before.process || line.is_heir) && is_single_threaded();
    if (line.mode != LEFT_ALONE && frame && handler_fork_is_for(frame))
        before.in_handler = before.is_heir || is_single_threaded();
    if (line.mode == LEFT_ALONE)
        return before;
    hold_signals(&before.signals);
    fork_begins();
    return before;
}

static void begin_life(const struct before_fork *before)
{
    atomic_store(&forking, 0);
    atomic_store(&starting, 0);
    line.parent = before->process;
    line.is_heir = before->is_heir && !before->in_handler;
    line.waits = false;
    if (before->in_handler)
        return; /* a thread cannot be made amid malloc */
    if (line.mode == EACH_CHILD || (line.is_heir && is_of_new_session()))
        begin_to_wait();
}

/* In the process that called, and in the child. What a child of fork calls or writes for the first
 * time costs it a page fault, so nothing is asked here that is known; errno is left alone. */
static void after_fork(const struct before_fork *before, bool is_child)
{
    if (line.mode == LEFT_ALONE)
        return;
    if (is_child)
        begin_life(before);
    else
        atomic_fetch_sub(&forking, 1);
    pthread_sigmask(SIG_SETMASK, &before->signals, NULL);
}

static void after_setsid(void)
{
    if (line.mode != ONE_HEIR)
        return;
    line.session = now_seconds();
    if (line.is_heir && !line.waits && line.listener != getpid())
        begin_to_wait();
}

void forks_watch(bool children)
{
    handler_fork_prepare();
    line.mode = children ? EACH_CHILD : ONE_HEIR;
    line.listener = getpid();
}

/* ---- The calls ---- */

#define EXPORT __attribute__((visibility("default")))

/* What comes after this library in the loader's order. */
static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        errno = ENOSYS;
    return found;
}

#define FIND(function, name)                                                                       \
    static _Atomic uintptr_t known;                                                                \
    if (atomic_load_explicit(&known, memory_order_relaxed) == 0)                                   \
        atomic_store_explicit(&known, (uintptr_t)next(name), memory_order_relaxed);                \
    function = (__typeof__(function))atomic_load_explicit(&known, memory_order_relaxed)

EXPORT pid_t fork(void)
{
    pid_t (*real)(void);
    FIND(real, "fork");
    if (!real)
        return -1;
    const struct before_fork before = before_fork(STACK_FRAME);
    pid_t process = before.in_handler ? handler_fork() : real();
    after_fork(&before, process == 0);
    return process;
}

EXPORT pid_t forkpty(int *terminal, char *name, const struct termios *settings,
                     const struct winsize *size)
{
    pid_t (*real)(int *, char *, const struct termios *, const struct winsize *);
    FIND(real, "forkpty");
    if (!real)
        return -1;
    const struct before_fork before = before_fork(NULL);
    pid_t process = real(terminal, name, settings, size);
    after_fork(&before, process == 0);
    return process;
}

/* The parent ends within; who returns is mostly the child. */
EXPORT int daemon(int keeps_directory, int keeps_descriptors)
{
    int (*real)(int, int);
    FIND(real, "daemon");
    if (!real)
        return -1;
    const struct before_fork before = before_fork(NULL);
    int status = real(keeps_directory, keeps_descriptors);
    after_fork(&before, getpid() != before.process);
    if (status == 0)
        after_setsid();
    return status;
}

EXPORT pid_t setsid(void)
{
    pid_t (*real)(void);
    FIND(real, "setsid");
    if (!real)
        return -1;
    pid_t session = real();
    if (session >= 0)
        after_setsid();
    return session;
}
