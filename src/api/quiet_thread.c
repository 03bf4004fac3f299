/* quiet_thread.c: a thread of snag's in the service; see quiet_thread.h. */
#include "api/quiet_thread.h"

#include <errno.h>
#include <signal.h>

static int create(pthread_t *thread, size_t stack_size, int state, void *(*function)(void *),
                  void *argument)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, state);
    pthread_attr_setstacksize(&attributes, stack_size);
    int error = pthread_create(thread, &attributes, function, argument);
    if (error == EINVAL) { /* the service's thread-local storage does not fit: the default does */
        pthread_attr_destroy(&attributes);
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, state);
        error = pthread_create(thread, &attributes, function, argument);
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

int quiet_thread_create(pthread_t *thread, size_t stack_size, void *(*function)(void *),
                        void *argument)
{
    return create(thread, stack_size, PTHREAD_CREATE_JOINABLE, function, argument);
}

int quiet_thread_detach(size_t stack_size, void *(*function)(void *), void *argument)
{
    pthread_t thread;
    return create(&thread, stack_size, PTHREAD_CREATE_DETACHED, function, argument);
}
