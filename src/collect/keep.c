/* keep.c: a profile on its way to the disk; see keep.h.
 *
 * One at a time is held against the format: that takes many times its size in memory, and a second
 * or two for the worst that --max-bytes lets in. */
#include "collect/keep.h"

#include "collect/genuine.h"
#include "collect/store.h"
#include "collect/target.h"
#include "collect/workers.h"

#include <event2/buffer.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct keep {
    struct work work; /* first */
    const struct store *store;
    char service[NAME_SIZE];
    char profile[NAME_SIZE];
    char part[NAME_SIZE];
    size_t most;
    struct evbuffer *body;
    struct kept kept;
    struct outcome outcome;
    keep_done *done; /* NULL: cancelled */
    void *user;
};

static void run(struct work *work)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    struct keep *keep = (struct keep *)work;
    const struct kept *kept = &keep->kept;
    pthread_mutex_lock(&one_at_a_time);
    genuine_check(kept->bytes, kept->length, keep->most, &keep->outcome);
    pthread_mutex_unlock(&one_at_a_time);
    if (keep->outcome.kind == OUTCOME_OK)
        store_write(keep->store, keep->service, keep->profile, keep->part, kept->when, kept->bytes,
                    kept->length, &keep->outcome);
}

static void finish(struct work *work)
{
    struct keep *keep = (struct keep *)work;
    if (keep->done && work->was_run)
        keep->done(keep->user, &keep->outcome, &keep->kept);
    evbuffer_free(keep->body);
    free(keep);
}

struct keep *keep_begin(struct workers *workers, const struct keep_wish *wish,
                        struct evbuffer *body, keep_done *done, void *user)
{
    struct keep *keep = calloc(1, sizeof *keep);
    struct evbuffer *own = evbuffer_new();
    if (!keep || !own || evbuffer_add_buffer(own, body) != 0) {
        free(keep);
        if (own)
            evbuffer_free(own);
        return NULL;
    }
    keep->work.run = run;
    keep->work.done = finish;
    keep->store = wish->store;
    memcpy(keep->service, wish->target->service, NAME_SIZE);
    memcpy(keep->part, wish->target->part, NAME_SIZE);
    strncpy(keep->profile, wish->profile, NAME_MOST);
    keep->most = wish->most;
    keep->body = own;
    keep->kept.length = evbuffer_get_length(own);
    keep->kept.bytes = evbuffer_pullup(own, -1);
    keep->kept.when = time(NULL);
    keep->done = done;
    keep->user = user;
    workers_give(workers, &keep->work);
    return keep;
}

void keep_cancel(struct keep *keep)
{
    keep->done = NULL;
}
