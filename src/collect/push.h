/* push.h: collected profiles on their way to a Pyroscope-compatible server, POST URL/ingest.
 *
 * One queue in memory, bounded by bytes; one connection, kept alive; one request at a time. A
 * server that is down costs one line of log: what waits is tried again with growing pauses, and
 * the oldest make room for the newest. Everything happens on the caller's event loop. */
#ifndef SNAG_COLLECT_PUSH_H
#define SNAG_COLLECT_PUSH_H

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct push;

struct push_settings {
    const char *url;         /* http://HOST[:PORT][/PREFIX], with or without /ingest at its end */
    const char *tenant;      /* X-Scope-OrgID; NULL: none is sent */
    const char *credentials; /* TOKEN (Bearer) or USER:PASSWORD (Basic); NULL: none */
    size_t queue_bytes;      /* 0: 64 MiB */
    unsigned timeout;        /* seconds for one request; 0: 30 */
    /* Takes lines without a newline; NULL: they go to stderr. */
    void (*log)(void *user, const char *line);
    void *user;
};

struct push_label {
    const char *name;
    const char *value;
};

/* A profile as it was fetched. Nothing is kept of it but a copy of the bytes. */
struct push_profile {
    const char *service;
    const char *profile;             /* "threads" */
    const struct push_label *labels; /* such as instance; what the server would refuse is mended */
    size_t label_count;
    uint64_t time_ns;  /* when it was fetched, since the epoch: where it does not say itself */
    const void *bytes; /* pprof, gzip'd */
    size_t length;
};

/* The first line of FILE, to be freed: credentials that stand on no command line. NULL and errno.
 */
char *push_read_credentials(const char *file);

/* Settings are copied. NULL with one line on what is wrong in WHY. */
struct push *push_new(struct event_base *base, const struct push_settings *settings, char *why,
                      size_t size);

/* Queues it. 0, -ENOMEM, or -EINVAL when the bytes are not a profile. */
int push_submit(struct push *push, const struct push_profile *profile);

/* How many were given up: refused, or the queue was full. */
size_t push_lost(const struct push *push);

/* Runs the event loop until all is sent, for SECONDS, or until somebody breaks the loop (a signal).
 * How many are still waiting. */
size_t push_drain(struct push *push, unsigned seconds);

/* What waits is gone with it. NULL is fine. */
void push_free(struct push *push);

#endif
