/* keep.c: a profile on its way to the disk; see keep.h.
 *
 * Holding it against the format takes many times its size in memory, and a second or two for the
 * worst that --max-bytes lets in. So one that unpacks to much is given to another thread, which has
 * one of these at a time, and nobody waits behind it. */
#include "collect/keep.h"

#include "collect/store.h"
#include "collect/target.h"
#include "collect/workers.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

/* Unpacked; of 10,000 threads it is about as much. */
#define MUCH ((size_t)4 << 20)

/* As many times what is allowed as it is sent. */
#define GROWTH 8

struct keep {
    struct work work; /* first */
    const struct store *store;
    char service[NAME_SIZE];
    char profile[NAME_SIZE];
    char part[NAME_SIZE];
    struct workers *for_large;
    size_t limit; /* of it unpacked; now MUCH, then what is allowed */
    size_t allowed;
    struct evbuffer *body;
    struct kept kept;
    struct outcome outcome;
    keep_done *done; /* NULL: cancelled */
    void *user;
};

static void run(struct work *work)
{
    struct keep *keep = (struct keep *)work;
    struct kept *kept = &keep->kept;
    genuine_check(kept->bytes, kept->length, keep->limit, kept->program, &keep->outcome);
    if (keep->outcome.kind == OUTCOME_OK)
        store_write(keep->store, keep->service, keep->profile, keep->part, kept->when, kept->bytes,
                    kept->length, &keep->outcome);
}

static void finish(struct work *work)
{
    struct keep *keep = (struct keep *)work;
    bool is_large = keep->outcome.kind == OUTCOME_TOO_LARGE && keep->limit < keep->allowed;
    if (keep->done && work->was_run && is_large) {
        keep->limit = keep->allowed;
        workers_give(keep->for_large, work);
        return;
    }
    if (keep->done && work->was_run)
        keep->done(keep->user, &keep->outcome, &keep->kept);
    evbuffer_free(keep->body);
    free(keep);
}

struct keep *keep_begin(const struct keep_wish *wish, struct evbuffer *body, keep_done *done,
                        void *user)
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
    keep->for_large = wish->for_large;
    keep->allowed = wish->most * GROWTH;
    keep->limit = keep->allowed < MUCH ? keep->allowed : MUCH;
    keep->body = own;
    keep->kept.length = evbuffer_get_length(own);
    keep->kept.bytes = evbuffer_pullup(own, -1);
    keep->kept.when = time(NULL);
    keep->done = done;
    keep->user = user;
    workers_give(wish->workers, &keep->work);
    return keep;
}

void keep_cancel(struct keep *keep)
{
    keep->done = NULL;
}
