/* fds_openers.h: who opened each descriptor. */
#ifndef SNAG_SOURCES_FDS_OPENERS_H
#define SNAG_SOURCES_FDS_OPENERS_H

struct fd_dump;
struct tracking;

/* Fills the origins in DUMP, whose targets are still the links as they were read. TRACKING may be
 * NULL. */
void fd_openers_find(struct fd_dump *dump, struct tracking *tracking);

#endif
