/* interpose.h: what comes first in a file that stands before calls.
 *
 * Their prototypes are wanted as they are in the library: without the inline
 * functions of _FORTIFY_SOURCE, and with both names of each call for large
 * files. So this must be included before any header of the system. */
#ifndef SNAG_TRACK_INTERPOSE_H
#define SNAG_TRACK_INTERPOSE_H

#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#ifndef _LARGEFILE64_SOURCE
#define _LARGEFILE64_SOURCE
#endif

#include "track/track.h"

#include <errno.h>
#include <stddef.h>

#endif
