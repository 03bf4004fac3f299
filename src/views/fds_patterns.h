/* fds_patterns.h: what many descriptors have in common, in words. */
#ifndef SNAG_VIEWS_FDS_PATTERNS_H
#define SNAG_VIEWS_FDS_PATTERNS_H

struct arena;
struct fd_dump;

/* For each descriptor of DUMP a phrase that is the same for all of a kind: "to 127.0.0.1:80",
 * "on 127.0.0.1:80", "in /var/log", "" for a kind that has nothing to add. Equal ones are one
 * string. In ARENA; NULL without memory. */
const char **fd_patterns_make(const struct fd_dump *dump, struct arena *arena);

#endif
