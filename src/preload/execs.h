/* execs.h: the process becomes another program. */
#ifndef SNAG_PRELOAD_EXECS_H
#define SNAG_PRELOAD_EXECS_H

#include <stdbool.h>

/* In the constructor: from now on what this process becomes by exec has the listener, too; with
 * CHILDREN so do they, and else they are left alone. */
void execs_watch(bool children);

#endif
