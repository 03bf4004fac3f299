/* collect.h: profiles of many targets, every interval, into a directory.
 *
 * One event loop, and a few threads for what takes long (workers.h):
 *
 *   targets (command line, file_sd) -> rounds (whose turn it is) -> exchange (one GET)
 *     -> keep: genuine (is it a profile?) -> store (DIR/SERVICE/PROFILE/TIME.pb.gz)
 *     -> push
 *
 * What fails on the way costs its target one line (health.h) and nothing else. */
#ifndef SNAG_COLLECT_COLLECT_H
#define SNAG_COLLECT_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COLLECT_PROFILES_MOST 16
#define COLLECT_TENTH_OF_DISK UINT64_MAX /* as keep_size */

struct collect_options {
    const char *directory;
    char *const *targets;     /* "[NAME=]TARGET"; ends with NULL */
    const char *const *files; /* of file_sd */
    size_t file_count;
    const char *profiles[COLLECT_PROFILES_MOST]; /* "threads", "threads?seconds=10" */
    size_t profile_count;
    unsigned interval; /* seconds */
    unsigned timeout;  /* seconds, for one profile */
    size_t max_bytes;  /* of one profile as it is sent */
    unsigned concurrency;
    const char *token_file; /* NULL: none */
    int64_t keep_age;       /* seconds; 0: for ever */
    uint64_t keep_size;     /* bytes; 0: without end */
    bool once;
    const char *push_url; /* NULL: nothing is pushed */
    const char *push_tenant;
    const char *push_credentials; /* a file */
};

/* Until it is ended by a signal, or with ONCE until each target was asked. The exit status. */
int collect_run(const struct collect_options *options);

#endif
