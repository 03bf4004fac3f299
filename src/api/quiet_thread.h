/* quiet_thread.h: a thread of snag's in the service. */
#ifndef SNAG_API_QUIET_THREAD_H
#define SNAG_API_QUIET_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Starts THREAD at FUNCTION, on a stack of STACK_SIZE where the service's thread-local storage
 * leaves room in that, with every signal blocked from its first instruction on: the service's
 * signals are for its own threads. 0 or a negative errno. */
int quiet_thread_create(pthread_t *thread, size_t stack_size, void *(*function)(void *),
                        void *argument);

/* The same, of a thread that nobody joins. */
int quiet_thread_detach(size_t stack_size, void *(*function)(void *), void *argument);

#endif
