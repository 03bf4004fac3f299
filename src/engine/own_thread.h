/* own_thread.h: the service's thread, made fit for the engine. */
#ifndef SNAG_ENGINE_OWN_THREAD_H
#define SNAG_ENGINE_OWN_THREAD_H

/* First and last thing on every thread that the engine runs on. SERVICE_ERRNO
 * is where the service's C library has errno on this thread. */
void own_thread_begin(const void *service_errno);
void own_thread_end(const void *service_errno);

#endif
