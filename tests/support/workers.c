/* workers.c: threads that hang or run; see workers.h. */
#include "workers.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sleep_ms(int ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        continue;
}

static void die(const char *what)
{
    fprintf(stderr, "workers.c: %s: %s\n", what, strerror(errno));
    abort();
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    atomic_store(&worker->tid, (pid_t)syscall(SYS_gettid));
    worker->body(worker);
    return NULL;
}

void worker_start(struct worker *worker, void (*body)(struct worker *), void *argument,
                  size_t stack)
{
    worker->body = body;
    worker->argument = argument;
    atomic_store(&worker->tid, 0);
    atomic_store(&worker->stop, 0);
    atomic_store(&worker->spins, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack > 0)
        pthread_attr_setstacksize(&attributes, stack);
    errno = pthread_create(&worker->thread, &attributes, worker_main, worker);
    if (errno)
        die("pthread_create");
    pthread_attr_destroy(&attributes);
    while (atomic_load(&worker->tid) == 0)
        sched_yield();
}

void worker_join(struct worker *worker)
{
    char path[64];
    pthread_join(worker->thread, NULL);
    /* It has let go of its stack, but its task ends only a moment later. */
    snprintf(path, sizeof path, "/proc/self/task/%d", (int)worker->tid);
    while (access(path, F_OK) == 0)
        sched_yield();
}

void worker_stop(struct worker *worker)
{
    atomic_store(&worker->stop, 1);
    syscall(SYS_futex, &worker->stop, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    worker_join(worker);
}

static char state_of(pid_t tid)
{
    char path[64];
    char text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    const char *close = strrchr(text, ')');
    return close && close[1] ? close[2] : 0;
}

bool wait_for_state(pid_t tid, char state)
{
    for (int i = 0; i < 10000; i++) {
        if (state_of(tid) == state)
            return true;
        sleep_ms(1);
    }
    return false;
}

void wait_until_it_spins(const struct worker *worker)
{
    while (!atomic_load(&worker->spins))
        sched_yield();
}

uint64_t register_value(int seed, int number)
{
    return UINT64_C(0x5eed000000000000) + (uint64_t)seed * 256 + (uint64_t)number;
}

#if defined(__x86_64__)
/* spin(const uint64_t values[6], _Atomic int *stop, _Atomic int *spins) */
__asm__(".text\n"
        ".type spin, @function\n"
        "spin:\n"
        "    .cfi_startproc\n"
        "    push %rbx\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset %rbx, 0\n"
        "    push %rbp\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset %rbp, 0\n"
        "    push %r12\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset %r12, 0\n"
        "    push %r13\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset %r13, 0\n"
        "    push %r14\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset %r14, 0\n"
        "    push %r15\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset %r15, 0\n"
        "    mov 0(%rdi), %rbx\n"
        "    mov 8(%rdi), %rbp\n"
        "    mov 16(%rdi), %r12\n"
        "    mov 24(%rdi), %r13\n"
        "    mov 32(%rdi), %r14\n"
        "    mov 40(%rdi), %r15\n"
        "    movl $1, (%rdx)\n"
        ".globl spin_first\n"
        "spin_first:\n"
        "    cmpl $0, (%rsi)\n"
        "    je spin_first\n"
        ".globl spin_last\n"
        "spin_last:\n"
        "    pop %r15\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore %r15\n"
        "    pop %r14\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore %r14\n"
        "    pop %r13\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore %r13\n"
        "    pop %r12\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore %r12\n"
        "    pop %rbp\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore %rbp\n"
        "    pop %rbx\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore %rbx\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size spin, . - spin\n");
void spin(const uint64_t values[6], _Atomic int *stop, _Atomic int *spins);
#else
const char spin_first[1] = { 0 };
const char spin_last[1] = { 0 };
static void spin(const uint64_t values[6], _Atomic int *stop, _Atomic int *spins)
{
    (void)values;
    atomic_store(spins, 1);
    while (!atomic_load(stop))
        continue;
}
#endif

void spin_with_registers(struct worker *worker)
{
    uint64_t values[6];
    for (int i = 0; i < 6; i++)
        values[i] = register_value(worker->seed, i);
    spin(values, &worker->stop, &worker->spins);
}

void hang(struct worker *worker)
{
    while (!atomic_load(&worker->stop))
        syscall(SYS_futex, &worker->stop, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

struct listener {
    int (*main)(void);
    int status;
};

static void *listener_main(void *argument)
{
    struct listener *listener = argument;
    if (unshare(CLONE_FILES) < 0)
        die("unshare");
    listener->status = listener->main();
    return NULL;
}

int run_as_listener(int (*main)(void))
{
    struct listener listener = { .main = main };
    pthread_t thread;
    errno = pthread_create(&thread, NULL, listener_main, &listener);
    if (errno)
        die("pthread_create");
    pthread_join(thread, NULL);
    return listener.status;
}

bool child_succeeds(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFSIGNALED(status))
        fprintf(stderr, "workers.c: the child was ended by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool play_scene(const char *name, int seconds)
{
    char limit[16];
    snprintf(limit, sizeof limit, "%d", seconds);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        execl("/proc/self/exe", "scene", name, limit, (char *)NULL);
        _exit(127);
    }
    return child_succeeds(child);
}

static bool (*scene_play)(void);

static int scene_thread(void)
{
    return scene_play() ? 0 : 1;
}

void scenes_main(int count, char **arguments, const struct scene *scenes, size_t scene_count)
{
    if (count < 3 || strcmp(arguments[0], "scene") != 0)
        return;
    alarm((unsigned)atoi(arguments[2]));
    for (size_t i = 0; i < scene_count; i++)
        if (strcmp(scenes[i].name, arguments[1]) == 0)
            scene_play = scenes[i].play;
    if (!scene_play)
        _exit(126);
    int status = run_as_listener(scene_thread);
    fflush(stdout);
    _exit(status);
}
