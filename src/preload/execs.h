/* execs.h: the process becomes another program. */
#ifndef SNAG_PRELOAD_EXECS_H
#define SNAG_PRELOAD_EXECS_H

/* In the constructor: from now on what this process becomes by exec has the listener, too. Its
 * children are left alone. */
void execs_watch(void);

#endif
