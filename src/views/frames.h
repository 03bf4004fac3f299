/* frames.h: a stack in words, the same in every view that shows one. */
#ifndef SNAG_VIEWS_FRAMES_H
#define SNAG_VIEWS_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct sink;
struct symbolizer;

/* A line per frame and per inlined function, each beginning with INDENT. WITH_ADDRESSES adds
 * the code address and the offset in the function. */
void frames_write(struct sink *sink, const uint64_t *frames, size_t count,
                  struct symbolizer *symbolizer, const char *indent, int with_addresses);

/* "fetch_user at client.c:88": the innermost function that is neither snag's own nor the C++
 * library's; "unknown" without frames. */
void frames_write_place(struct sink *sink, const uint64_t *frames, size_t count,
                        struct symbolizer *symbolizer);

/* All frames as a JSON array of objects. */
void frames_write_json(struct sink *sink, const uint64_t *frames, size_t count,
                       struct symbolizer *symbolizer);

#endif
