/* keep.h: a profile that came, on its way to the disk, on a thread of the workers': it is held
 * against the format, then written and flushed. */
#ifndef SNAG_COLLECT_KEEP_H
#define SNAG_COLLECT_KEEP_H

#include "collect/genuine.h"
#include "collect/outcome.h"

#include <time.h>

struct evbuffer;
struct keep;
struct store;
struct target;
struct workers;

struct keep_wish {
    struct workers *workers;
    struct workers *for_large; /* ends after workers, and has one thread */
    const struct store *store;
    const struct target *target;
    const char *profile; /* its folder */
    size_t most;         /* as exchange_wish's; unpacked it may be eight times that */
};

struct kept {
    const void *bytes; /* for as long as the call takes */
    size_t length;
    time_t when;
    char program[PROGRAM_SIZE]; /* genuine.h */
};

/* OUTCOME_OK: it is on the disk; OUTCOME_NOT_WRITTEN: it is genuine; or what it is instead. */
typedef void keep_done(void *user, const struct outcome *outcome, const struct kept *kept);

/* Takes what is in BODY. DONE is called once, from the event loop and never from within this call.
 * NULL: no memory. */
struct keep *keep_begin(const struct keep_wish *wish, struct evbuffer *body, keep_done *done,
                        void *user);

/* Before DONE was called: it will not be. What has begun is written all the same. */
void keep_cancel(struct keep *keep);

#endif
