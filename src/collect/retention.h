/* retention.h: what is too old, or too much, goes; the oldest first, of all services together.
 *
 * Only regular files that have the form of a stored profile's name, two folders below DIR, are
 * ever removed, and folders that are empty thereafter. One that cannot be removed costs no newer
 * one its place. */
#ifndef SNAG_COLLECT_RETENTION_H
#define SNAG_COLLECT_RETENTION_H

#include <stdint.h>
#include <time.h>

struct store;

struct retention {
    int64_t keep_age;   /* seconds; 0: for ever */
    uint64_t keep_size; /* bytes on disk; 0: without end */
    /* Set by retention_sweep: what it removed, and what is there now. */
    uint64_t removed_files;
    uint64_t removed_bytes;
    uint64_t files;
    uint64_t bytes;
    time_t too_much; /* of the newest that went though it was not too old; 0: none did */
};

/* 0, or a negative errno and what could be done is done. */
int retention_sweep(struct retention *retention, const struct store *store);

#endif
