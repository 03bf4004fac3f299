/* workers.c: a few threads for what takes long; see workers.h.
 *
 *   loop --> to_do --> thread --> ready --> loop
 *
 * The lists and `ends` are under the lock. An eventfd wakes the loop, whatever number is ready. */
#include "collect/workers.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

STAILQ_HEAD(work_list, work);

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct work_list to_do;
    struct work_list ready;
    bool ends;
    int ready_fd;
    struct event *on_ready;
    unsigned count;
    pthread_t threads[];
};

static void *work_on(void *user)
{
    static const uint64_t one = 1;
    struct workers *workers = user;
    pthread_mutex_lock(&workers->lock);
    while (!workers->ends) {
        struct work *work = STAILQ_FIRST(&workers->to_do);
        if (!work) {
            pthread_cond_wait(&workers->has_work, &workers->lock);
            continue;
        }
        STAILQ_REMOVE_HEAD(&workers->to_do, next);
        pthread_mutex_unlock(&workers->lock);
        work->run(work);
        pthread_mutex_lock(&workers->lock);
        work->was_run = true;
        STAILQ_INSERT_TAIL(&workers->ready, work, next);
        if (write(workers->ready_fd, &one, sizeof one) < 0)
            continue; /* it is full of wake-ups already */
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

static void finish(struct work_list *list)
{
    while (!STAILQ_EMPTY(list)) {
        struct work *work = STAILQ_FIRST(list);
        STAILQ_REMOVE_HEAD(list, next);
        work->done(work);
    }
}

static void on_ready(evutil_socket_t fd, short what, void *user)
{
    struct workers *workers = user;
    struct work_list ready = STAILQ_HEAD_INITIALIZER(ready);
    uint64_t count;
    (void)what;
    if (read(fd, &count, sizeof count) < 0)
        return;
    pthread_mutex_lock(&workers->lock);
    STAILQ_CONCAT(&ready, &workers->ready);
    pthread_mutex_unlock(&workers->lock);
    finish(&ready);
}

/* Signals are the loop's. */
static bool start_threads(struct workers *workers, unsigned wanted)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (workers->count < wanted &&
           pthread_create(&workers->threads[workers->count], NULL, work_on, workers) == 0)
        workers->count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return workers->count > 0;
}

struct workers *workers_new(struct event_base *base, unsigned threads)
{
    struct workers *workers = calloc(1, sizeof *workers + threads * sizeof *workers->threads);
    if (!workers)
        return NULL;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->has_work, NULL);
    STAILQ_INIT(&workers->to_do);
    STAILQ_INIT(&workers->ready);
    workers->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    workers->on_ready = event_new(base, workers->ready_fd, EV_READ | EV_PERSIST, on_ready, workers);
    if (workers->ready_fd >= 0 && workers->on_ready && event_add(workers->on_ready, NULL) == 0 &&
        start_threads(workers, threads))
        return workers;
    workers_free(workers);
    return NULL;
}

void workers_give(struct workers *workers, struct work *work)
{
    work->was_run = false;
    pthread_mutex_lock(&workers->lock);
    STAILQ_INSERT_TAIL(&workers->to_do, work, next);
    pthread_cond_signal(&workers->has_work);
    pthread_mutex_unlock(&workers->lock);
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->ends = true;
    pthread_cond_broadcast(&workers->has_work);
    pthread_mutex_unlock(&workers->lock);
    while (workers->count > 0)
        pthread_join(workers->threads[--workers->count], NULL);
    finish(&workers->ready);
    finish(&workers->to_do);
    if (workers->on_ready)
        event_free(workers->on_ready);
    if (workers->ready_fd >= 0)
        close(workers->ready_fd);
    pthread_cond_destroy(&workers->has_work);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}
