/* reply.h: an HTTP reply as it comes in, from a server that is not believed.
 *
 * What is had of it so far is always bounded: the head by REPLY_HEAD_MOST, the body by the limit
 * that was given, before it is taken from the socket's buffer. */
#ifndef SNAG_COLLECT_REPLY_H
#define SNAG_COLLECT_REPLY_H

#include "collect/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_HEAD_MOST 16384

struct evbuffer;

enum reply_part { REPLY_STATUS, REPLY_HEADERS, REPLY_BODY, REPLY_SIZE, REPLY_TRAILER, REPLY_END };

struct reply_reader {
    enum reply_part part;
    int status;
    char type[80];    /* Content-Type, without its parameters */
    bool has_coding;  /* Content-Encoding other than identity */
    bool is_chunked;  /* REPLY_SIZE is the line before each chunk */
    bool has_length;  /* else, and not chunked: until the end of the connection */
    uint64_t left;    /* of the body, or of the chunk */
    size_t head_left; /* what head and trailer may still have */
    size_t most;      /* of the body */
    struct evbuffer *body;
};

enum reply_progress { REPLY_MORE, REPLY_DONE, REPLY_FAILED };

/* BODY takes what comes, at most MOST bytes. */
void reply_begin(struct reply_reader *reader, struct evbuffer *body, size_t most);

/* Takes what it can from INPUT. With REPLY_FAILED OUTCOME says why. */
enum reply_progress reply_feed(struct reply_reader *reader, struct evbuffer *input,
                               struct outcome *outcome);

/* Nothing more comes. REPLY_DONE when that is how this body ends. */
enum reply_progress reply_end(struct reply_reader *reader, struct outcome *outcome);

#endif
