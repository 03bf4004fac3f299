/* labelled.c: a service whose threads say what they work on. Says
 *
 *     labelled listens on ADDRESS
 *     NAME=NUMBER         for the ids of single threads
 *
 * Workers for two tenants; one whose labels have the names of snag's own; one that has too many;
 * two in a deadlock; a pool that was started by a thread with labels. Stays until it is killed. */
#include <snag/snag.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STAY() __asm__ volatile("" ::: "memory")

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t left = PTHREAD_MUTEX_INITIALIZER, right = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_hold, all_wait;

struct task {
    void (*set)(const struct task *task);
    int number;
};

static __attribute__((noinline)) void start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0)
        exit(2);
}

static __attribute__((noinline)) void wait_for_work(void)
{
    pthread_barrier_wait(&all_wait);
    pthread_mutex_lock(&lock);
    for (;;)
        pthread_cond_wait(&work, &lock);
}

static void *run_worker(void *argument)
{
    const struct task *task = argument;
    prctl(PR_SET_NAME, "worker");
    task->set(task);
    wait_for_work();
    return NULL;
}

static void set_tenant(const struct task *task)
{
    char request[16];
    snprintf(request, sizeof request, "r%d", task->number);
    snag_label_set("tenant", task->number < 12 ? "acme" : "globex");
    snag_label_set("request", request);
}

static void set_names_of_ours(const struct task *task)
{
    (void)task;
    snag_label_set("state", "mine");
    snag_label_set("thread", "me");
    snag_label_set("colour", "\x1b[31mred\n");
    printf("ours=%d\n", (int)gettid());
}

static void set_too_many(const struct task *task)
{
    (void)task;
    for (int i = 0; i < 19; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%02d", i);
        snag_label_set(key, "v");
    }
    printf("many=%d\n", (int)gettid());
}

static void *deadlock(void *argument)
{
    int first = argument != NULL;
    snag_label_set("side", first ? "left" : "right");
    pthread_mutex_lock(first ? &left : &right);
    pthread_barrier_wait(&both_hold);
    pthread_mutex_lock(first ? &right : &left);
    return NULL;
}

static void *run_pool(void *argument)
{
    prctl(PR_SET_NAME, "pool");
    if (argument)
        printf("pool=%d\n", (int)gettid());
    wait_for_work();
    return NULL;
}

/* Three stacks that begin in one place. */
static __attribute__((noinline)) void start_pool(void)
{
    start(run_pool, &lock);
    start(run_pool, NULL);
    start(run_pool, NULL);
    STAY();
}

static void *run_manager(void *argument)
{
    prctl(PR_SET_NAME, "manager");
    snag_label_set("plan", "gold");
    start_pool();
    snag_label_clear(NULL);
    wait_for_work();
    return argument;
}

int main(void)
{
    static struct task tasks[17];
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_barrier_init(&both_hold, NULL, 2);
    pthread_barrier_init(&all_wait, NULL, 17 + 1 + 3 + 1); /* with main */
    for (int i = 0; i < 17; i++) {
        tasks[i] = (struct task){ i < 15    ? set_tenant
                                  : i == 15 ? set_names_of_ours
                                            : set_too_many,
                                  i };
        start(run_worker, &tasks[i]);
    }
    start(deadlock, NULL);
    start(deadlock, &lock);
    start(run_manager, NULL);
    pthread_barrier_wait(&all_wait);
    usleep(200000); /* until they hang */
    if (snag_start(NULL) != 0)
        return 1;
    printf("labelled listens on %s\n", snag_address());
    for (;;)
        pause();
}
