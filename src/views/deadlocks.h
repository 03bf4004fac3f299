/* deadlocks.h: the deadlocks among the threads of a dump, a paragraph each. */
#ifndef SNAG_VIEWS_DEADLOCKS_H
#define SNAG_VIEWS_DEADLOCKS_H

struct sink;
struct thread_dump;
struct wait_set;

/* Writes nothing when there is none. */
void deadlocks_write(struct sink *sink, const struct thread_dump *dump,
                     const struct wait_set *waits);

#endif
