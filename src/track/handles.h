/* handles.h: inventories of streams, directories and threads, kept by libsnag-track.
 *
 *     handles_wanted.c   which of them are wanted (SNAG_TRACK_HANDLES)
 *     handles_stream.c   the calls that make a stream or a directory and no descriptor
 *     handles_thread.c   threads, until they are joined or detached
 *
 * They are the same inventories as those of snag/wrap: what both see counts once. Everything here
 * leaves errno as it was. */
#ifndef SNAG_TRACK_HANDLES_H
#define SNAG_TRACK_HANDLES_H

#include "track/track.h"

#include <snag/wrap/wrap.h>

enum handle_kind { HANDLES_FILES, HANDLES_DIRECTORIES, HANDLES_THREADS, HANDLE_KINDS };

struct handle_inventory {
    const char *name;
    const char *word; /* in SNAG_TRACK_HANDLES */
    bool wanted;      /* written once, before the tables are ready */
    snag_profile *here;
};

extern struct handle_inventory track_handles[HANDLE_KINDS];

/* Reads SNAG_TRACK_HANDLES. A word that is not allowed is said on stderr, and nothing is kept. */
void handles_begin(void);

/* PLACE is within libsnag, whose own threads are not listed. */
void handles_find_own(uintptr_t place);

/* Whether a thread that CALLER, a return address, creates is to be listed. */
bool handles_thread_is_wanted(const void *caller, bool is_detached);

#define IN_THE_CALL static inline __attribute__((always_inline))

IN_THE_CALL bool handles_are_kept(enum handle_kind kind)
{
    return __builtin_expect(track_handles[kind].wanted, 0) && track_is_ready() && who_am_i() != 0;
}

/* HANDLE, unless it is NULL, is held by who called the function that this stands in. */
IN_THE_CALL void handle_made(enum handle_kind kind, const void *handle)
{
    if (!handle || !handles_are_kept(kind))
        return;
    snag_wrap_made(&track_handles[kind].here, track_handles[kind].name, handle, 0);
    SNAG_STAYS();
}

/* Whether it was there. */
IN_THE_CALL bool handle_ended(enum handle_kind kind, const void *handle)
{
    return handle && handles_are_kept(kind) &&
           snag_wrap_ended(&track_handles[kind].here, track_handles[kind].name, handle);
}

#endif
