/* fds_view.h: a dump of descriptors as each of its readers wants it. */
#ifndef SNAG_VIEWS_FDS_VIEW_H
#define SNAG_VIEWS_FDS_VIEW_H

#include <stdbool.h>

struct fd_dump;
struct profile;
struct sink;
struct symbolizer;

/* Declares the sample types and period of the fds profile. */
void fds_profile_types(struct profile *profile);

/* Adds every descriptor of DUMP, multiplied by SIGN (1, or -1 for the earlier dump of a
 * difference). WITH_NUMBERS adds the numeric label `fd`, which keeps descriptors apart; without it
 * the label `target` says what those that are alike have in common. */
void fds_profile_add(struct profile *profile, const struct fd_dump *dump, int sign,
                     bool with_numbers);

/* The comments that say how full the table is, and what is not known. */
void fds_profile_comments(struct profile *profile, const struct fd_dump *dump);

/* debug=2: a block per descriptor, by ascending number. */
void fds_write_blocks(struct sink *sink, const struct fd_dump *dump, struct symbolizer *symbolizer);

/* /debug/fds: those that are alike together, largest group first. */
void fds_write_groups(struct sink *sink, const struct fd_dump *dump, struct symbolizer *symbolizer);

/* ?format=json: every descriptor with everything known about it. */
void fds_write_json(struct sink *sink, const struct fd_dump *dump, struct symbolizer *symbolizer);

#endif
