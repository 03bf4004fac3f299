/* write_guard.h: writes of snag's to a descriptor of the service's. */
#ifndef SNAG_API_WRITE_GUARD_H
#define SNAG_API_WRITE_GUARD_H

#include <signal.h>

/* Between begin and end no write of the calling thread ends or stops the process: at a pipe that
 * nobody reads any more, at the limit of file sizes, on a terminal that is another job's. */
struct write_guard {
    sigset_t mask;    /* of the thread, before */
    sigset_t pending; /* before */
};

void write_guard_begin(struct write_guard *guard);
void write_guard_end(const struct write_guard *guard);

#endif
