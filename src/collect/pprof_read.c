/* pprof_read.c: from bytes that nobody vouches for to a message in memory; see pprof.h.
 *
 * Two bombs are defused here: gzip grows a thousandfold, and an empty message of two bytes becomes
 * a struct of eighty. The first is inflated up to a limit, the second unpacked into an arena
 * that gives no more than its share. */
#include "base/sink.h"
#include "collect/pprof.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FIRST_ROOM ((size_t)64 << 10)
#define GZIP_WINDOW (15 + 16)
#define SMALL ((size_t)1 << 20)

/* What a real profile takes in memory for a byte of it is 5 to 15. */
#define SHARE_OF_SIZE 64
#define SHARE_OF_LIMIT 4

static bool is_gzip(const unsigned char *bytes, size_t length)
{
    return length >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/* On the heap, as several threads read profiles: what mremap moves, ThreadSanitizer loses track of.
 */
struct plain {
    unsigned char *bytes;
    size_t length;
    size_t capacity;
};

static bool make_room(struct plain *plain, size_t limit)
{
    if (plain->length < plain->capacity)
        return true;
    size_t capacity = plain->capacity ? 2 * plain->capacity : FIRST_ROOM;
    if (capacity > limit + 1) /* one more, to tell that it is too much */
        capacity = limit + 1;
    unsigned char *more = realloc(plain->bytes, capacity);
    if (!more)
        return false;
    plain->bytes = more;
    plain->capacity = capacity;
    return true;
}

/* zlib counts in ints. */
static uInt at_once(size_t length)
{
    return length < INT_MAX ? (uInt)length : INT_MAX;
}

static int inflate_into(struct plain *plain, z_stream *stream, const unsigned char *bytes,
                        size_t length, size_t limit)
{
    int status = Z_OK;
    while (status == Z_OK && plain->length <= limit) {
        if (!make_room(plain, limit))
            return -ENOMEM;
        uInt room = at_once(plain->capacity - plain->length);
        stream->next_in = (Bytef *)(uintptr_t)(bytes + stream->total_in);
        stream->avail_in = at_once(length - stream->total_in);
        stream->next_out = plain->bytes + plain->length;
        stream->avail_out = room;
        status = inflate(stream, Z_NO_FLUSH);
        plain->length += room - stream->avail_out;
    }
    if (status == Z_MEM_ERROR)
        return -ENOMEM;
    if (plain->length > limit)
        return -EFBIG;
    return status == Z_STREAM_END && stream->total_in == length ? 0 : -EBADMSG;
}

static int gunzip(struct plain *plain, const void *bytes, size_t length, size_t limit, char *why,
                  size_t size)
{
    z_stream stream = { 0 };
    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        return -ENOMEM;
    int status = inflate_into(plain, &stream, bytes, length, limit);
    if (status == -EBADMSG && stream.total_in < length)
        snprintf(why, size, "its gzip is damaged at byte %lu", stream.total_in);
    else if (status == -EBADMSG)
        snprintf(why, size, "it is cut off after %zu bytes", length);
    inflateEnd(&stream);
    return status;
}

struct share {
    ProtobufCAllocator allocator; /* first: what protobuf-c hands back */
    struct arena *arena;
    size_t most;
    size_t left;
    bool used_up;
};

static void *take(void *data, size_t bytes)
{
    struct share *share = data;
    if (bytes > share->left) {
        share->used_up = true;
        return NULL;
    }
    share->left -= bytes;
    return arena_alloc(share->arena, bytes);
}

static void leave(void *data, void *memory)
{
    (void)data;
    (void)memory; /* goes with the arena */
}

static int unpack(struct pprof *pprof, const void *bytes, size_t length, size_t limit, char *why,
                  size_t size)
{
    size_t most = limit < SIZE_MAX / SHARE_OF_LIMIT ? limit * SHARE_OF_LIMIT : SIZE_MAX;
    struct share share = { .arena = &pprof->arena, .left = most };
    if (length < (most - SMALL) / SHARE_OF_SIZE)
        share.left = length * SHARE_OF_SIZE + SMALL;
    share.most = share.left;
    share.allocator = (ProtobufCAllocator){ take, leave, &share };
    pprof->message = perftools__profiles__profile__unpack(&share.allocator, length, bytes);
    if (pprof->message)
        return 0;
    if (share.used_up) {
        snprintf(why, size, "it would take more than %zu MiB of memory", share.most >> 20);
        return -EFBIG;
    }
    snprintf(why, size, "it is no profile in pprof's format");
    return -EBADMSG;
}

int pprof_parse(struct pprof *pprof, const void *bytes, size_t length, size_t limit, char *why,
                size_t size)
{
    struct plain plain = { .bytes = NULL };
    int status = 0;
    *pprof = (struct pprof){ 0 };
    *why = 0;
    if (getrandom(&pprof->seed, sizeof pprof->seed, GRND_NONBLOCK) < 0)
        pprof->seed = (uintptr_t)&plain;
    if (length == 0) {
        snprintf(why, size, "it is empty");
        status = -EBADMSG;
    } else if (is_gzip(bytes, length)) {
        status = gunzip(&plain, bytes, length, limit, why, size);
        bytes = plain.bytes;
        length = plain.length;
    } else if (length > limit) {
        status = -EFBIG;
    }
    if (status == 0)
        status = unpack(pprof, bytes, length, limit, why, size);
    if (status == 0)
        status = pprof_check(pprof, why, size);
    if (status && !*why)
        snprintf(why, size, status == -EFBIG ? "it is larger than %zu MiB" : "no memory for it",
                 limit >> 20);
    if (status)
        pprof_free(pprof);
    free(plain.bytes);
    return status;
}

/* The bytes of DESCRIPTOR, at most LIMIT; a pipe has them, too. */
static int read_all(int descriptor, struct sink_buffer *bytes, size_t limit)
{
    char chunk[16 << 10];
    ssize_t got;
    while ((got = read(descriptor, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (bytes->length + (size_t)got > limit)
            return -EFBIG;
        sink_write(&bytes->sink, chunk, (size_t)got);
        if (bytes->sink.error)
            return bytes->sink.error;
    }
    return 0;
}

int pprof_read_file(struct pprof *pprof, const char *path, size_t limit, char *why, size_t size)
{
    struct sink_buffer bytes;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    int status = descriptor < 0 ? -errno : 0;
    sink_buffer_init(&bytes);
    if (status == 0)
        status = read_all(descriptor, &bytes, limit);
    if (status)
        snprintf(why, size, "%s", strerror(-status));
    else
        status = pprof_parse(pprof, bytes.bytes, bytes.length, limit, why, size);
    sink_buffer_free(&bytes);
    if (descriptor >= 0)
        close(descriptor);
    return status;
}

void pprof_free(struct pprof *pprof)
{
    arena_release(&pprof->arena);
    *pprof = (struct pprof){ 0 };
}
