/* fd_look.c: a thread that lists descriptors; see fd_look.h. */
#include "fd_look.h"

#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum wish { WISH_DUMP, WISH_LOOK, WISH_COUNT, WISH_END };

struct fd_looker {
    pthread_t thread;
    sem_t asked, answered;
    pid_t pid;
    bool own_table;

    enum wish wish;
    bool with_details;
    uint64_t budget_ns;
    const int *fds;
    size_t count;
    struct fd_dump *dump;
    long result;
};

static void die(const char *what)
{
    fprintf(stderr, "fd_look.c: %s: %s\n", what, strerror(errno));
    abort();
}

/* As src/engine/own_table.c does it. */
static void take_own_table(void)
{
    if (syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_UNSHARE) != 0)
        die("close_range");
    for (int fd = 0; fd <= 2; fd++)
        if (open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
            die("/dev/null");
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue;
}

static void serve(struct fd_looker *looker, struct fd_source *source)
{
    do {
        sem_post(&looker->answered);
        wait_for(&looker->asked);
        if (looker->wish == WISH_DUMP)
            looker->result =
                fd_source_dump(source, looker->with_details, looker->budget_ns, &looker->dump);
        else if (looker->wish == WISH_LOOK)
            looker->result =
                fd_source_look(source, looker->fds, looker->count, UINT64_MAX / 2, &looker->dump);
        else if (looker->wish == WISH_COUNT)
            looker->result = fd_source_count(source);
    } while (looker->wish != WISH_END);
}

static void *look(void *argument)
{
    struct fd_looker *looker = argument;
    struct target target;
    if (looker->own_table)
        take_own_table();
    errno = -target_open(&target, looker->pid);
    if (errno)
        die("target_open");
    struct fd_source *source = fd_source_new(&target, NULL);
    if (!source)
        die("fd_source_new");
    serve(looker, source);
    fd_source_free(source);
    target_close(&target);
    return NULL;
}

struct fd_looker *fd_looker_start(pid_t pid, bool own_table)
{
    struct fd_looker *looker = calloc(1, sizeof *looker);
    if (!looker)
        die("calloc");
    looker->pid = pid;
    looker->own_table = own_table;
    sem_init(&looker->asked, 0, 0);
    sem_init(&looker->answered, 0, 0);
    errno = pthread_create(&looker->thread, NULL, look, looker);
    if (errno)
        die("pthread_create");
    wait_for(&looker->answered);
    return looker;
}

static void ask(struct fd_looker *looker, enum wish wish)
{
    looker->wish = wish;
    sem_post(&looker->asked);
    if (wish != WISH_END)
        wait_for(&looker->answered);
}

void fd_looker_stop(struct fd_looker *looker)
{
    ask(looker, WISH_END);
    pthread_join(looker->thread, NULL);
    sem_destroy(&looker->asked);
    sem_destroy(&looker->answered);
    free(looker);
}

int fd_look(struct fd_looker *looker, bool with_details, uint64_t budget_ns, struct fd_dump **dump)
{
    looker->with_details = with_details;
    looker->budget_ns = budget_ns;
    ask(looker, WISH_DUMP);
    *dump = looker->result == 0 ? looker->dump : NULL;
    return (int)looker->result;
}

int fd_look_at(struct fd_looker *looker, const int *fds, size_t count, struct fd_dump **dump)
{
    looker->fds = fds;
    looker->count = count;
    ask(looker, WISH_LOOK);
    *dump = looker->result == 0 ? looker->dump : NULL;
    return (int)looker->result;
}

long fd_look_count(struct fd_looker *looker)
{
    ask(looker, WISH_COUNT);
    return looker->result;
}
