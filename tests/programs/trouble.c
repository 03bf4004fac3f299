/* trouble.c: a service in trouble of the kind that its first argument names.
 *
 * Starts snag and a few workers, gets into the trouble, and says on descriptor
 * 1 (by write alone, stdio may be part of the trouble) what a dump must show:
 *     address 127.0.0.1:43211
 *     expect TID FUNCTION ADDRESS     thread TID is in FUNCTION, which begins at ADDRESS
 *     ready
 * Then it stays as it is until it is killed; never longer than a minute. */
#include <snag/snag.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")
#define WORKERS 12

static int out = 1;
static int empty_pipe[2];

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[512];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (write(out, line, (size_t)length) != length)
        _exit(3);
}

#define EXPECT_HERE(function)                                                                      \
    say("expect %d %s %p\n", (int)syscall(SYS_gettid), #function, (void *)(uintptr_t)(function))

static void cannot(const char *what)
{
    say("skip %s: %s\n", what, strerror(errno));
    _exit(77);
}

static _Atomic int started;

/* ---- the workers that every trouble has ---- */

static NOINLINE void waits_in_read(void)
{
    char byte;
    EXPECT_HERE(waits_in_read);
    started++;
    while (read(empty_pipe[0], &byte, 1) != 1)
        STAY();
}

static NOINLINE void waits_in_cond(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    EXPECT_HERE(waits_in_cond);
    pthread_mutex_lock(&mutex);
    started++;
    for (;;)
        pthread_cond_wait(&cond, &mutex);
}

static NOINLINE void waits_in_sleep(void)
{
    struct timespec left = { 3600, 0 };
    EXPECT_HERE(waits_in_sleep);
    started++;
    while (nanosleep(&left, &left) != 0)
        STAY();
}

static void *worker(void *function)
{
    void (*wait)(void) = (void (*)(void))(uintptr_t)function;
    wait();
    STAY();
    return NULL;
}

static pthread_t start_thread(void (*function)(void))
{
    pthread_t thread;
    int before = started;
    int error = pthread_create(&thread, NULL, worker, (void *)(uintptr_t)function);
    if (error) {
        errno = error;
        cannot("pthread_create");
    }
    while (started == before)
        usleep(1000);
    return thread;
}

static void start_workers(void)
{
    static void (*const functions[])(void) = { waits_in_read, waits_in_cond, waits_in_sleep };
    for (int i = 0; i < WORKERS; i++)
        start_thread(functions[i % 3]);
}

static void start_snag(void)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    int status = snag_start(&options);
    if (status) {
        errno = -status;
        cannot("snag_start");
    }
    say("address %s\n", snag_address());
}

/* Main's own end of every trouble that leaves it free. */
static NOINLINE void main_waits(void)
{
    EXPECT_HERE(main_waits);
    say("ready\n");
    for (;;)
        pause();
}

/* ---- the troubles ---- */

static void no_trouble(void)
{
    start_snag();
    start_workers();
}

static void descriptors_full(void)
{
    struct rlimit limit = { 64, 64 };
    no_trouble();
    setrlimit(RLIMIT_NOFILE, &limit);
    while (dup(empty_pipe[0]) >= 0) {
    }
}

/* As above from before the start: snag too has only what is left. */
static void descriptors_few(void)
{
    struct rlimit limit = { 40, 40 };
    setrlimit(RLIMIT_NOFILE, &limit);
    no_trouble();
    while (dup(empty_pipe[0]) >= 0) {
    }
}

/* ... and here it has none at all, and the engine is not loaded yet. */
static void descriptors_none(void)
{
    struct rlimit limit = { 40, 40 };
    setrlimit(RLIMIT_NOFILE, &limit);
    start_workers();
    while (dup(empty_pipe[0]) >= 0) {
    }
    start_snag();
}

static void descriptors_closed(void)
{
    no_trouble();
    out = dup2(out, 100);
    for (int fd = 0; fd < 4096; fd++)
        if (fd != out && fd != empty_pipe[0] && fd != empty_pipe[1])
            close(fd);
}

static pthread_mutex_t ring[WORKERS + 1];
static _Atomic int locked;

static NOINLINE void deadlocks(int place)
{
    pthread_mutex_lock(&ring[place]);
    locked++;
    while (locked <= WORKERS)
        usleep(1000);
    EXPECT_HERE(deadlocks);
    if (place == WORKERS) { /* main is the last; the others are on their way */
        usleep(300000);
        say("ready\n");
    }
    pthread_mutex_lock(&ring[(place + 1) % (WORKERS + 1)]);
    STAY();
}

static void *deadlocking_worker(void *place)
{
    deadlocks((int)(intptr_t)place);
    return NULL;
}

static void all_deadlocked(void)
{
    start_snag();
    for (intptr_t i = 0; i <= WORKERS; i++)
        pthread_mutex_init(&ring[i], NULL);
    for (intptr_t i = 0; i < WORKERS; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, deadlocking_worker, (void *)i);
    }
    deadlocks(WORKERS);
}

/* malloc's lock: threads allocate in one arena, a signal parks one of them, and
 * when all the others come to wait, it was inside. */
static _Atomic int parked, let_go;
static _Atomic unsigned long allocations;

static NOINLINE void parks_in_handler(int number)
{
    (void)number;
    int saved = errno;
    parked = 1;
    while (!let_go)
        syscall(SYS_futex, &let_go, 0 /* FUTEX_WAIT */, 0, NULL, NULL, 0);
    parked = 0;
    errno = saved;
}

static NOINLINE void allocates(void)
{
    void *kept[8] = { NULL };
    EXPECT_HERE(allocates);
    started++;
    for (unsigned i = 0;; i++) {
        free(kept[i % 8]);
        kept[i % 8] = malloc(2000 + i * 137 % 50000);
        allocations++;
    }
}

static bool nobody_allocates(void)
{
    unsigned long before = allocations;
    usleep(150000);
    return allocations == before;
}

static void malloc_held(void)
{
    struct sigaction action = { .sa_handler = parks_in_handler };
    sigaction(SIGUSR1, &action, NULL);
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 1 << 25);
    no_trouble();
    pthread_t victim = start_thread(allocates);
    for (int i = 0; i < 3; i++)
        start_thread(allocates);
    for (int tries = 0; tries < 400; tries++) {
        let_go = 0;
        pthread_kill(victim, SIGUSR1);
        while (!parked)
            usleep(100);
        if (nobody_allocates())
            return;
        let_go = 1;
        syscall(SYS_futex, &let_go, 1 /* FUTEX_WAKE */, INT_MAX, NULL, NULL, 0);
        while (parked)
            usleep(100);
    }
    errno = EAGAIN;
    cannot("catching a thread inside malloc");
}

static char beside[PATH_MAX];

static NOINLINE void loads_library(void)
{
    EXPECT_HERE(loads_library);
    started++;
    if (!dlopen(beside, RTLD_NOW))
        say("skip dlopen: %s\n", dlerror());
    STAY();
}

static NOINLINE void loads_another(void)
{
    usleep(200000);
    EXPECT_HERE(loads_another);
    started++;
    dlopen("libm.so.6", RTLD_NOW);
    STAY();
}

/* The loader's lock is held by a constructor, and somebody waits for it. */
static void loader_held(void)
{
    no_trouble();
    start_thread(loads_library);
    start_thread(loads_another);
    usleep(200000);
}

static int blocks_in_callback(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)info;
    (void)size;
    (void)data;
    started++;
    for (;;)
        pause();
    return 0;
}

static NOINLINE void iterates_libraries(void)
{
    EXPECT_HERE(iterates_libraries);
    dl_iterate_phdr(blocks_in_callback, NULL);
    STAY();
}

static void module_list_held(void)
{
    no_trouble();
    start_thread(iterates_libraries);
    start_thread(loads_another);
    usleep(200000);
}

static NOINLINE void locks_stdio(void)
{
    flockfile(stdout);
    flockfile(stderr);
    EXPECT_HERE(locks_stdio);
    started++;
    for (;;)
        pause();
}

static NOINLINE void wants_stdio(void)
{
    EXPECT_HERE(wants_stdio);
    started++;
    fputs("nobody will read this\n", stderr);
    STAY();
}

static void stdio_held(void)
{
    no_trouble();
    start_thread(locks_stdio);
    start_thread(wants_stdio);
    usleep(200000);
}

/* Where the alarm of main() is blocked too. */
static void *ends_after_a_minute(void *unused)
{
    struct timespec left = { 60, 0 };
    while (nanosleep(&left, &left) != 0)
        STAY();
    _exit(0);
    return unused;
}

static void signals_blocked(void)
{
    pthread_t thread;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    pthread_create(&thread, NULL, ends_after_a_minute, NULL);
    no_trouble();
}

static void in_chroot(void)
{
    no_trouble();
    if (chroot("/usr/share") || chdir("/")) /* any directory without proc in it */
        cannot("chroot");
}

static void become_nobody(void)
{
    if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
        cannot("setuid");
}

static void as_nobody(void)
{
    no_trouble();
    become_nobody();
}

static void as_nobody_dumpable(void)
{
    as_nobody();
    prctl(PR_SET_DUMPABLE, 1);
}

/* Every call of NUMBERS is answered by ERROR from now on. */
static void refuse(const int *numbers, size_t count, int error)
{
    struct sock_filter filter[64];
    size_t n = 0;
    filter[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < count; i++) {
        filter[n++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i], 0, 1);
        filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                   SECCOMP_RET_ERRNO | ((unsigned)error & 0xffff));
    }
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { (unsigned short)n, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        cannot("seccomp");
}

static void no_readv(void)
{
    const int numbers[] = { SYS_process_vm_readv };
    refuse(numbers, 1, EPERM);
    no_trouble();
}

static void no_own_table(void)
{
    const int numbers[] = { SYS_close_range, SYS_unshare };
    refuse(numbers, 2, EPERM);
    no_trouble();
}

/* What an old container runtime refuses, as one it does not know. */
static void nothing_new(void)
{
    const int numbers[] = { SYS_process_vm_readv, SYS_close_range, SYS_unshare, SYS_pidfd_open,
                            SYS_pidfd_getfd,      SYS_clone3,      SYS_statx,   SYS_openat2,
                            SYS_faccessat2,       SYS_getrandom };
    refuse(numbers, sizeof numbers / sizeof *numbers, ENOSYS);
    no_trouble();
}

/* The filter comes after the start, as in services that lock themselves in. */
static void no_readv_later(void)
{
    const int numbers[] = { SYS_process_vm_readv };
    no_trouble();
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[0], 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { 4, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
        cannot("seccomp for all threads");
}

/* The leader ends, the process lives on. */
static void main_gone(void)
{
    no_trouble();
    say("ready\n");
    pthread_exit(NULL);
}

/* vfork's parent sleeps uninterruptibly for as long as its child does not exec. */
static NOINLINE void waits_for_vfork(void)
{
    EXPECT_HERE(waits_for_vfork);
    started++;
    if (vfork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            syscall(SYS_pause);
    }
    STAY();
}

static void uninterruptible(void)
{
    no_trouble();
    start_thread(waits_for_vfork);
    usleep(200000);
}

/* Nothing more can be mapped. */
static void memory_full(void)
{
    no_trouble();
    char text[256] = "";
    int fd = open("/proc/self/statm", O_RDONLY);
    unsigned long pages = 0;
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0 || sscanf(text, "%lu", &pages) != 1)
        cannot("/proc/self/statm");
    close(fd);
    struct rlimit limit = { pages * 4096 + 16384, RLIM_INFINITY };
    setrlimit(RLIMIT_AS, &limit);
}

static const struct trouble {
    const char *name;
    void (*begin)(void);
} troubles[] = {
    { "none", no_trouble },
    { "descriptors-full", descriptors_full },
    { "descriptors-few", descriptors_few },
    { "descriptors-none", descriptors_none },
    { "descriptors-closed", descriptors_closed },
    { "all-deadlocked", all_deadlocked },
    { "malloc-held", malloc_held },
    { "loader-held", loader_held },
    { "module-list-held", module_list_held },
    { "stdio-held", stdio_held },
    { "signals-blocked", signals_blocked },
    { "chroot", in_chroot },
    { "nobody", as_nobody },
    { "nobody-dumpable", as_nobody_dumpable },
    { "no-readv", no_readv },
    { "no-readv-later", no_readv_later },
    { "no-own-table", no_own_table },
    { "nothing-new", nothing_new },
    { "main-gone", main_gone },
    { "uninterruptible", uninterruptible },
    { "memory-full", memory_full },
};

/* What a dump of handles must find, whatever the trouble. */
NOINLINE static void keep_three(void)
{
    static char things[3];
    for (size_t i = 0; i < sizeof things; i++)
        SNAG_TRACK_BYTES("trouble.things", &things[i], 100);
}

int main(int argc, char **argv)
{
    keep_three();
    alarm(60);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc < 2 || pipe(empty_pipe))
        return 2;
    const char *slash = strrchr(argv[0], '/');
    snprintf(beside, sizeof beside, "%.*s/slow_constructor.so", (int)(slash ? slash - argv[0] : 0),
             argv[0]);
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        if (strcmp(argv[1], troubles[i].name) != 0)
            continue;
        troubles[i].begin();
        main_waits();
    }
    fprintf(stderr, "no such trouble: %s\n", argv[1]);
    return 2;
}
