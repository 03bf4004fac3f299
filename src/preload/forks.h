/* forks.h: processes that the service makes by fork. */
#ifndef SNAG_PRELOAD_FORKS_H
#define SNAG_PRELOAD_FORKS_H

#include <stdbool.h>

/* In the constructor, once this process listens: from now on every child of fork gets a listener
 * of its own (CHILDREN), or the one that goes on as a daemon takes this one over. */
void forks_watch(bool children);

#endif
