/* truth.c: recording the truth and setting the scene; see truth.h. */
#include "truth.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

struct scene scene = { .queue = -1, .semaphores = { -1, -1 } };
static __thread struct truth *mine;

void truth_belongs_to(struct truth *truth)
{
    mine = truth;
}

struct walk {
    struct truth *truth;
    int seen;
};

/* Frames come innermost first: truth_mark, the way itself, then its callers. */
static _Unwind_Reason_Code record_frame(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    uint64_t address = _Unwind_GetIP(context);
    int position = walk->seen++;
    if (address == 0 || position == 0)
        return _URC_NO_REASON;
    if (position == 1)
        walk->truth->own = address;
    else if (walk->truth->count < TRUTH_FRAMES)
        walk->truth->frames[walk->truth->count++] = address;
    return _URC_NO_REASON;
}

NOINLINE void truth_mark(void)
{
    struct walk walk = { .truth = mine };
    mine->count = 0;
    mine->tid = (pid_t)syscall(SYS_gettid);
    _Unwind_Backtrace(record_frame, &walk);
    __atomic_store_n(&mine->marked, 1, __ATOMIC_RELEASE);
}

void truth_skip(const char *why)
{
    mine->skipped = why;
    __atomic_store_n(&mine->marked, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static void fill(int fd)
{
    char page[4096] = { 0 };
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, page, sizeof page) > 0) {
    }
    while (write(fd, page, 1) > 0) {
    }
    fcntl(fd, F_SETFL, 0);
}

void scene_set(void)
{
    int pair[2];
    if (pipe2(scene.empty_pipe, O_CLOEXEC) || pipe2(scene.full_pipe, O_CLOEXEC) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        perror("scene");
        exit(2);
    }
    scene.never_ready = pair[0];
    fill(scene.full_pipe[1]);
}

pid_t scene_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return child;
}

void scene_end(void)
{
    if (scene.queue >= 0)
        msgctl(scene.queue, IPC_RMID, NULL);
    for (int i = 0; i < 2; i++)
        if (scene.semaphores[i] >= 0)
            semctl(scene.semaphores[i], 0, IPC_RMID);
}
