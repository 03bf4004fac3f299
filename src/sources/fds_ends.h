/* fds_ends.h: which descriptors are the two ends of one pipe, and what waits in it. */
#ifndef SNAG_SOURCES_FDS_ENDS_H
#define SNAG_SOURCES_FDS_ENDS_H

struct borrower;
struct fd_dump;
struct fd_place;

/* Fills access, other_end and the queues of DUMP's pipes and FIFOs. */
void fd_ends_find(struct fd_dump *dump, const struct fd_place *place, struct borrower *borrower);

#endif
