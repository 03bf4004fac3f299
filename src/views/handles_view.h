/* handles_view.h: a dump of live handles as each of its readers wants it. */
#ifndef SNAG_VIEWS_HANDLES_VIEW_H
#define SNAG_VIEWS_HANDLES_VIEW_H

#include <stdbool.h>

struct handle_dump;
struct profile;
struct sink;
struct symbolizer;

/* Declares the sample types and period of a profile of DUMP, and of EARLIER if it is a difference.
 * Ages are in nanoseconds, or in the next unit in which their sum has room. */
void handles_profile_types(struct profile *profile, const struct handle_dump *dump,
                           const struct handle_dump *earlier);

/* Adds every holder of DUMP, multiplied by SIGN (1, or -1 for the earlier dump of a
 * difference). WITH_AGES adds the numeric label `age_s`, which keeps ages apart: powers of ten of
 * seconds, each for ages from it to ten times it, and 0 for those below one second. */
void handles_profile_add(struct profile *profile, const struct handle_dump *dump, int sign,
                         bool with_ages);

/* The comments that say how many there are, and what is not known. */
void handles_profile_comments(struct profile *profile, const struct handle_dump *dump);

/* debug=2: a block per holder, with its oldest handles one line each. */
void handles_write_blocks(struct sink *sink, const struct handle_dump *dump,
                          struct symbolizer *symbolizer);

/* /debug/handles: by inventory, the largest group first; then what went wrong in it. */
void handles_write_groups(struct sink *sink, const struct handle_dump *dump,
                          struct symbolizer *symbolizer);

/* ?format=json: everything that is known. */
void handles_write_json(struct sink *sink, const struct handle_dump *dump,
                        struct symbolizer *symbolizer);

#endif
