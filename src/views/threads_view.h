/* threads_view.h: a thread dump as each of its readers wants it.
 *
 * One dump, five forms: pprof (through the profile builder), one block per
 * thread (debug=2), groups of equal stacks in plain words (/debug/threads),
 * JSON, and the counts of the front page. */
#ifndef SNAG_VIEWS_THREADS_VIEW_H
#define SNAG_VIEWS_THREADS_VIEW_H

#include <stdbool.h>

struct profile;
struct sink;
struct symbolizer;
struct thread_dump;
struct wait_set;

/* Declares the sample types and period of the threads profile. */
void threads_profile_types(struct profile *profile);

/* In all of these WAITS is what the threads of DUMP wait on; NULL: it is not known. */

/* Adds every thread of DUMP, multiplied by SIGN (1, or -1 for the earlier dump
 * of a difference). WITH_TID adds the numeric label `tid`, which keeps threads apart. */
void threads_profile_add(struct profile *profile, const struct thread_dump *dump,
                         const struct wait_set *waits, int sign, bool with_tid);

/* The same of those threads alone that can never go on. */
void threads_profile_add_stuck(struct profile *profile, const struct thread_dump *dump,
                               const struct wait_set *waits, int sign, bool with_tid);

/* The comments that say how many threads were captured how. */
void threads_profile_comments(struct profile *profile, const struct thread_dump *dump);

/* debug=2: a block per thread, longest blocked first. */
void threads_write_blocks(struct sink *sink, const struct thread_dump *dump,
                          const struct wait_set *waits, struct symbolizer *symbolizer);

/* The same of those threads alone that can never go on. */
void threads_write_stuck_blocks(struct sink *sink, const struct thread_dump *dump,
                                const struct wait_set *waits, struct symbolizer *symbolizer);

/* /debug/threads: equal stacks together, largest group first. */
void threads_write_groups(struct sink *sink, const struct thread_dump *dump,
                          const struct wait_set *waits, struct symbolizer *symbolizer);

/* ?format=json: every thread with everything known about it. */
void threads_write_json(struct sink *sink, const struct thread_dump *dump,
                        const struct wait_set *waits, struct symbolizer *symbolizer);

#endif
