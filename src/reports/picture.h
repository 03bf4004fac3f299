/* picture.h: the threads of one moment with what they wait on, for the reports that need both. */
#ifndef SNAG_REPORTS_PICTURE_H
#define SNAG_REPORTS_PICTURE_H

#include <stdbool.h>

struct fd_dump;
struct lab;
struct thread_dump;
struct wait_set;

struct picture {
    struct thread_dump *threads;
    struct wait_set *waits;
    struct fd_dump *fds; /* all of them, with picture_take's WITH_FDS; else NULL */
};

/* Takes one. WITH_FDS lists every descriptor; without it only where a thread waits on one. 0 or a
 * negative errno. */
int picture_take(struct lab *lab, bool with_fds, struct picture **picture);
void picture_free(struct picture *picture);

#endif
