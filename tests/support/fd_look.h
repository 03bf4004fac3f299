/* fd_look.h: a thread with a descriptor table of its own that lists this
 * process's descriptors when it is told to, as the listener does. */
#ifndef SNAG_TESTS_FD_LOOK_H
#define SNAG_TESTS_FD_LOOK_H

#include "sources/fds.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fd_looker;

/* Starts it; it looks at PID, 0 for this process. OWN_TABLE false: it shares the process's. */
struct fd_looker *fd_looker_start(pid_t pid, bool own_table);
void fd_looker_stop(struct fd_looker *looker);

/* A dump, to be freed with fd_dump_free. 0 or a negative errno. */
int fd_look(struct fd_looker *looker, bool with_details, uint64_t budget_ns, struct fd_dump **dump);

/* The same of the COUNT descriptors in FDS alone. */
int fd_look_at(struct fd_looker *looker, const int *fds, size_t count, struct fd_dump **dump);

/* fd_source_count as that thread sees it. */
long fd_look_count(struct fd_looker *looker);

#ifdef __cplusplus
}
#endif

#endif
