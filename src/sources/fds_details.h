/* fds_details.h: what only descriptors of one kind have to tell, from fdinfo. */
#ifndef SNAG_SOURCES_FDS_DETAILS_H
#define SNAG_SOURCES_FDS_DETAILS_H

struct descriptor;
struct fd_dump;
struct fd_info;
struct fd_place;
struct sink_buffer;

/* Sets detail, watched and, for a pidfd, the target of DESCRIPTOR from the lines of INFO. DUMP's
 * list must be complete. TEXT is room that is used again and again. */
void fd_details_take(struct fd_dump *dump, struct descriptor *descriptor,
                     const struct fd_info *info, const struct fd_place *place,
                     struct sink_buffer *text);

#endif
