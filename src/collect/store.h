/* store.h: the directory that profiles are kept in: DIR/SERVICE/PROFILE/NAME (stored_name.h).
 *
 * A file is there whole or not at all, also after a power cut, and none is written over; the last
 * ones may not be there then. Folders
 * are 0700 and files 0600: stacks, paths and addresses of a service are in them. No link is
 * followed below DIR. */
#ifndef SNAG_COLLECT_STORE_H
#define SNAG_COLLECT_STORE_H

#include "collect/outcome.h"

#include <stddef.h>
#include <time.h>

struct store {
    int directory;
    const char *path;
};

/* Makes PATH if it is not there; its parent must be. 0 or a negative errno. */
int store_open(struct store *store, const char *path);
/* Nothing happens to one whose directory is -1. */
void store_close(struct store *store);

/* SERVICE, PROFILE and INSTANCE ("": none) are safe names. OUTCOME_OK or OUTCOME_NOT_WRITTEN. Of
 * any thread. */
void store_write(const struct store *store, const char *service, const char *profile,
                 const char *instance, time_t time, const void *bytes, size_t length,
                 struct outcome *outcome);

/* The folder NAME in FOLDER, not by a link. A descriptor or a negative errno. */
int store_folder(int folder, const char *name);

#endif
