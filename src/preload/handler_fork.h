/* handler_fork.h: a fork in a signal handler of a program that has no thread but ours. */
#ifndef SNAG_PRELOAD_HANDLER_FORK_H
#define SNAG_PRELOAD_HANDLER_FORK_H

#include <stdbool.h>
#include <sys/types.h>

/* In the constructor. */
void handler_fork_prepare(void);

/* Whether the function of FRAME (STACK_FRAME) was called by a signal handler, and handler_fork can
 * do what fork does. */
bool handler_fork_is_for(const void *frame);

/* As fork, where the caller and snag's threads are all that there are. */
pid_t handler_fork(void);

#endif
