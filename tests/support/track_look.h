/* track_look.h: what the engine's reader says of this process's descriptors
 * and threads, with names for the functions that did it. */
#ifndef SNAG_TESTS_TRACK_LOOK_H
#define SNAG_TESTS_TRACK_LOOK_H

#include "base/target.h"
#include "sources/tracking.h"

#include <stdbool.h>

struct track_look {
    struct target target;
    struct modules *modules;
    struct symbolizer *symbolizer;
    struct tracking *tracking;
};

/* Opens everything; ends the process where that fails. */
void track_look_open(struct track_look *look);
void track_look_close(struct track_look *look);

/* Reads the tables anew; false when there are none. */
bool track_look_again(struct track_look *look);

/* The name of the innermost function in ORIGIN; "" without frames. Valid until the next call. */
const char *track_function(struct track_look *look, const struct origin *origin);

/* Whether any function of ORIGIN has that name; NAME may end in * for all that begin so. */
bool track_has_function(struct track_look *look, const struct origin *origin, const char *name);

#endif
