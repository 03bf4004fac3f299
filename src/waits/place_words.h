/* place_words.h: a code address in a sentence. */
#ifndef SNAG_WAITS_PLACE_WORDS_H
#define SNAG_WAITS_PLACE_WORDS_H

#include <stdint.h>

struct sink;
struct symbolizer;

/* "fetch_user() in client.c:88"; FRAME as in base/stack.h. Names are written as they
 * are: see sink_plain. */
void place_write(struct sink *sink, struct symbolizer *symbolizer, uint64_t frame);

#endif
