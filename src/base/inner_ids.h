/* inner_ids.h: thread ids as the target knows them.
 *
 * A process in a pid namespace of its own, as in a container, has other ids for its threads than
 * those under which it is looked at: its locks and tables hold the inner ones. The kernel tells
 * both in `NSpid` of a thread's status. Of a process that is in no such namespace nothing is read.
 */
#ifndef SNAG_BASE_INNER_IDS_H
#define SNAG_BASE_INNER_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct target;

struct inner_ids {
    bool looked;           /* is_nested is known */
    bool is_nested;        /* its ids are not those of the /proc it is seen in */
    unsigned reads;        /* of the list, since inner_ids_forget */
    struct inner_id *list; /* by ascending inner id */
    size_t count;
};

/* The thread that TARGET itself calls ID. 0: it has none; where it is in no namespace of its own,
 * ID, whether there is such a thread or not. A thread that has begun since inner_ids_forget may be
 * missed. */
pid_t outer_tid(struct target *target, pid_t id);

/* Threads may have come and gone since. */
void inner_ids_forget(struct target *target);

bool ids_are_nested(struct target *target);

/* What the process whose directory in /proc is next to TARGET's, under PID, is called in the
 * innermost of its namespaces; 0: not known. */
pid_t inner_pid(struct target *target, pid_t pid);

#endif
