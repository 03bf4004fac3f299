/* gzip_stream.c: bytes compressed on their way into a sink; see gzip_stream.h.
 *
 * Fastest level, as Go's pprof: most of a profile's time is spent here, and the
 * next level costs half as much again for a few percent. The header has no time and no
 * name in it, so equal profiles are equal bytes. */
#include "profile/gzip_stream.h"

#include "base/arena.h"
#include "base/sink.h"

#include <errno.h>
#include <limits.h>

#define OUT_SIZE ((size_t)64 << 10)
#define GZIP_WINDOW (15 + 16) /* 32 KiB, with gzip's header */
#define DEFAULT_MEMORY 8

static voidpf allocate(voidpf opaque, uInt count, uInt size)
{
    return arena_array(opaque, count, size);
}

static void leave(voidpf opaque, voidpf memory)
{
    (void)opaque;
    (void)memory; /* goes with the arena */
}

int gzip_begin(struct gzip_stream *stream, struct arena *arena, struct sink *sink)
{
    *stream = (struct gzip_stream){
        .sink = sink,
        .deflate = { .zalloc = allocate, .zfree = leave, .opaque = arena },
    };
    stream->out = arena_alloc(arena, OUT_SIZE);
    if (!stream->out || deflateInit2(&stream->deflate, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW,
                                     DEFAULT_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        stream->error = -ENOMEM;
    return stream->error;
}

/* Compresses what is in next_in, into the sink. */
static void compress_on(struct gzip_stream *stream, int flush)
{
    z_stream *deflater = &stream->deflate;
    do {
        deflater->next_out = stream->out;
        deflater->avail_out = OUT_SIZE;
        deflate(deflater, flush);
        sink_write(stream->sink, stream->out, OUT_SIZE - deflater->avail_out);
        stream->error = stream->sink->error;
    } while (deflater->avail_out == 0 && !stream->error);
}

void gzip_write(struct gzip_stream *stream, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    while (length > 0 && !stream->error) {
        uInt step = length < INT_MAX ? (uInt)length : INT_MAX;
        stream->deflate.next_in = (Bytef *)(uintptr_t)from;
        stream->deflate.avail_in = step;
        compress_on(stream, Z_NO_FLUSH);
        from += step;
        length -= step;
    }
}

int gzip_end(struct gzip_stream *stream)
{
    if (!stream->error)
        compress_on(stream, Z_FINISH);
    deflateEnd(&stream->deflate);
    return stream->error;
}
