/* fds_words.h: where a descriptor leads, in words. */
#ifndef SNAG_SOURCES_FDS_WORDS_H
#define SNAG_SOURCES_FDS_WORDS_H

struct arena;
struct descriptor;

/* Makes the target of a socket or pipe from all that has been found out about it. */
void fd_words_make(struct descriptor *descriptor, const char *protocol, struct arena *arena);

#endif
