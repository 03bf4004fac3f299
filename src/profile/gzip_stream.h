/* gzip_stream.h: bytes compressed on their way into a sink. */
#ifndef SNAG_PROFILE_GZIP_STREAM_H
#define SNAG_PROFILE_GZIP_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

struct arena;
struct sink;

struct gzip_stream {
    z_stream deflate;
    struct sink *sink;
    unsigned char *out;
    int error;
};

/* Memory comes from ARENA and stays there. 0 or -ENOMEM. */
int gzip_begin(struct gzip_stream *stream, struct arena *arena, struct sink *sink);

void gzip_write(struct gzip_stream *stream, const void *bytes, size_t length);

/* Writes what is left. The first error of any step, or 0. */
int gzip_end(struct gzip_stream *stream);

#endif
