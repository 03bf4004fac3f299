/* profile_check.h: whether bytes are a profile that every reader of the format takes.
 *
 * The rules are those of pprof's profile.proto and of its own CheckValid, and what
 * we promise beyond: equal samples are merged, nothing unused is in it. */
#ifndef SNAG_TESTS_PROFILE_CHECK_H
#define SNAG_TESTS_PROFILE_CHECK_H

#include "profile.pb-c.h"

#include <stddef.h>

/* NULL when the LENGTH bytes at GZ are a good profile, or what is wrong with it (valid
 * until the next call). */
const char *profile_check(const void *gz, size_t length);

/* The profile in GZ, to be freed with perftools__profiles__profile__free_unpacked; NULL
 * when it cannot be read. */
Perftools__Profiles__Profile *profile_read(const void *gz, size_t length);

/* String INDEX of PROFILE, "" when out of range. */
const char *profile_text(const Perftools__Profiles__Profile *profile, int64_t index);

/* The parts by id, NULL when there is none. */
const Perftools__Profiles__Location *profile_location(const Perftools__Profiles__Profile *profile,
                                                      uint64_t id);
const Perftools__Profiles__Function *profile_function(const Perftools__Profiles__Profile *profile,
                                                      uint64_t id);
const Perftools__Profiles__Mapping *profile_mapping(const Perftools__Profiles__Profile *profile,
                                                    uint64_t id);

/* The name of the outermost function of frame DEPTH (0 innermost) of SAMPLE. */
const char *profile_frame_name(const Perftools__Profiles__Profile *profile,
                               const Perftools__Profiles__Sample *sample, size_t depth);

/* The text of SAMPLE's label KEY, NULL without. */
const char *profile_label_text(const Perftools__Profiles__Profile *profile,
                               const Perftools__Profiles__Sample *sample, const char *key);

#endif
