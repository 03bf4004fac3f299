/* vfork.h: a mark for threads that may be in a child of vfork. */
#ifndef SNAG_TRACK_VFORK_H
#define SNAG_TRACK_VFORK_H

#include <stdbool.h>

/* Not 0 from a call of vfork or clone on, in the child and in the parent,
 * which share it: whoever finds it looks which of the two it is, and the parent clears it. */
extern _Thread_local int vfork_mark __attribute__((tls_model("initial-exec")));

/* Looks up what stands behind our vfork and clone. */
void vfork_begin(void);

/* False when those are not what the program calls: the mark then means nothing. */
bool vfork_is_watched(void);

#endif
