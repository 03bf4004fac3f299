/* own_threads.h: snag's own threads in a process that is looked at from outside. */
#ifndef SNAG_SOURCES_OWN_THREADS_H
#define SNAG_SOURCES_OWN_THREADS_H

#include <stdint.h>

struct target;

/* Finds them by what the process says at ROOT (struct own_threads in it; 0: nothing) and has TARGET
 * leave them out of its lists. */
void own_threads_find(struct target *target, uint64_t root);

#endif
