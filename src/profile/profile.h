/* profile.h: the one builder of every profile, and its two encodings.
 *
 * Samples with equal stacks and equal labels are merged as they come in, so a
 * profile's size follows from the number of distinct stacks. What comes out is
 * ordered by content, not by the order of adding: the same process in the same state
 * gives the same bytes, times aside.
 *
 * The format is pprof's profile.proto (proto/profile.proto), gzip'd; debug=1
 * is Go's legacy count format, which pprof reads as well. */
#ifndef SNAG_PROFILE_PROFILE_H
#define SNAG_PROFILE_PROFILE_H

#include "base/sink.h"

#include <stddef.h>
#include <stdint.h>

struct modules;
struct symbolizer;

struct profile_label {
    const char *key;
    const char *text; /* a text label; or NULL: */
    int64_t number;   /* a numeric label ... */
    const char *unit; /* ... and its unit, NULL without */
};

struct profile;

/* NAME stands in the text form's first line ("threads"). MODULES and
 * SYMBOLIZER must outlive the profile. NULL without memory. */
struct profile *profile_new(const char *name, const struct modules *modules,
                            struct symbolizer *symbolizer);
void profile_free(struct profile *profile);

/* Before the first sample: the first type is the default. At most 4. */
void profile_add_type(struct profile *profile, const char *type, const char *unit);

/* The unit of the type that was declared as number INDEX. */
const char *profile_type_unit(const struct profile *profile, size_t index);

void profile_set_period(struct profile *profile, const char *type, const char *unit,
                        int64_t period);
void profile_set_time(struct profile *profile, uint64_t time_ns, uint64_t duration_ns);
__attribute__((format(printf, 2, 3))) void profile_add_comment(struct profile *profile,
                                                               const char *format, ...);

/* Adds VALUES (one per type) to the sample of this stack and these labels; strings are
 * copied. Negative values make a difference of two dumps; a sample whose
 * values come out all 0 is left out. FRAMES innermost first, see base/stack.h; without any,
 * the stack is spelled "[no stack]". A label with an empty text is left out. */
void profile_add(struct profile *profile, const uint64_t *frames, size_t frame_count,
                 const int64_t *values, const struct profile_label *labels, size_t label_count);

/* The same with a stack that is spelled in words ("CLOSE_WAIT", "tcp",
 * "socket"), innermost first, for what has no code address. */
void profile_add_named(struct profile *profile, const char *const *functions, size_t function_count,
                       const int64_t *values, const struct profile_label *labels,
                       size_t label_count);

/* debug=0: gzip'd protobuf, streamed into SINK. 0, -ENOMEM (of any step
 * before, too), or the sink's error. */
int profile_write_gzip(struct profile *profile, struct sink *sink);

/* debug=1: "NAME profile: total N", then each stack with its count, largest first. */
int profile_write_text(struct profile *profile, struct sink *sink);

#endif
