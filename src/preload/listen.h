/* listen.h: the listener of this process, and how it says where it is. */
#ifndef SNAG_PRELOAD_LISTEN_H
#define SNAG_PRELOAD_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

/* In the constructor, before anything else. CHILDREN: those of fork will have listeners, too. */
void listen_prepare(bool children);

/* In the constructor: from now on an end by _exit is one by exit, as far as the listener's socket
 * and file are concerned. */
void listen_watch_exit(void);

/* Starts the listener and says where: on stderr, and in the file of `snag run --address-file`. A
 * failure is said, too; the service goes on. */
void listen_begin(void);

/* The same in a child of fork, whose thread this is; what is opened meanwhile is not in the
 * service's descriptor table. */
void listen_begin_in_child(void);

/* The same at the address that the process BEFORE, which has ended, has had. It may be in use for
 * a moment yet. */
void listen_take_over(pid_t before);

/* Whether this process listens. */
bool listen_is_on(void);

/* Whether snag was asked to watch, and so has a second thread. */
bool listen_watches(void);

#endif
