/* sink.c: bytes of a reply, formatted; see sink.h.
 *
 * sink_printf formats into a buffer on the stack and only lines longer than
 * that take a second pass, so that the usual line never allocates. */
#include "base/sink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

void sink_write(struct sink *sink, const void *bytes, size_t length)
{
    if (sink->error || length == 0)
        return;
    int error = sink->write(sink, bytes, length);
    if (error)
        sink->error = error;
}

void sink_puts(struct sink *sink, const char *text)
{
    sink_write(sink, text, strlen(text));
}

void sink_printf(struct sink *sink, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0) {
        sink->error = sink->error ? sink->error : -EINVAL;
        return;
    }
    if ((size_t)length < sizeof line) {
        sink_write(sink, line, (size_t)length);
        return;
    }
    size_t size = (size_t)length + 1;
    char *longer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (longer == MAP_FAILED) {
        sink->error = sink->error ? sink->error : -ENOMEM;
        return;
    }
    va_start(arguments, format);
    vsnprintf(longer, size, format, arguments);
    va_end(arguments);
    sink_write(sink, longer, (size_t)length);
    munmap(longer, size);
}

size_t utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    if (text[0] >= 0xc2 && text[0] <= 0xdf)
        return (text[1] & 0xc0) == 0x80 ? 2 : 0;
    if ((text[0] & 0xf0) == 0xe0) {
        if ((text[1] & 0xc0) != 0x80 || (text[2] & 0xc0) != 0x80)
            return 0;
        bool overlong = text[0] == 0xe0 && text[1] < 0xa0;
        bool surrogate = text[0] == 0xed && text[1] >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    if (text[0] >= 0xf0 && text[0] <= 0xf4) {
        if ((text[1] & 0xc0) != 0x80 || (text[2] & 0xc0) != 0x80 || (text[3] & 0xc0) != 0x80)
            return 0;
        bool overlong = text[0] == 0xf0 && text[1] < 0x90;
        bool too_high = text[0] == 0xf4 && text[1] >= 0x90;
        return overlong || too_high ? 0 : 4;
    }
    return 0;
}

void sink_json_string(struct sink *sink, const char *text)
{
    if (!text) {
        sink_puts(sink, "null");
        return;
    }
    sink_puts(sink, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        size_t length = utf8_length(c);
        if (length == 0) {
            sink_puts(sink, "\\ufffd");
            c++;
            continue;
        }
        if (*c == '"' || *c == '\\')
            sink_printf(sink, "\\%c", *c);
        else if (*c < 0x20 || *c == 0x7f)
            sink_printf(sink, "\\u%04x", *c);
        else
            sink_write(sink, c, length);
        c += length;
    }
    sink_puts(sink, "\"");
}

/* Of LENGTH bytes, 0: not UTF-8. Beside the control characters of ASCII those of Latin 1, of which
 * one begins escape sequences, and what breaks lines or turns the direction of writing. */
static bool draws(const unsigned char *c, size_t length)
{
    if (length == 1)
        return *c < 0x20 || *c == 0x7f;
    if (length == 2)
        return (c[0] == 0xc2 && c[1] < 0xa0) || (c[0] == 0xd8 && c[1] == 0x9c);
    if (length != 3 || c[0] != 0xe2)
        return length == 0;
    return (c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae))) ||
           (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

void sink_plain(struct sink *sink, const char *text)
{
    const unsigned char *from = (const unsigned char *)text;
    const unsigned char *at = from;
    while (*at) {
        size_t length = utf8_length(at);
        bool escaped = draws(at, length);
        length += length == 0;
        if (!escaped) {
            at += length;
            continue;
        }
        sink_write(sink, from, (size_t)(at - from));
        for (; length > 0; length--)
            sink_printf(sink, "\\x%02x", *at++);
        from = at;
    }
    sink_write(sink, from, (size_t)(at - from));
}

void sink_html(struct sink *sink, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': sink_puts(sink, "&amp;"); break;
        case '<': sink_puts(sink, "&lt;"); break;
        case '>': sink_puts(sink, "&gt;"); break;
        case '"': sink_puts(sink, "&quot;"); break;
        case '\'': sink_puts(sink, "&#39;"); break;
        default: sink_write(sink, text, 1);
        }
    }
}

void sink_duration(struct sink *sink, uint64_t ns)
{
    uint64_t ms = ns / 1000000;
    uint64_t seconds = ns / 1000000000;
    if (ms < 1)
        sink_puts(sink, "<1 ms");
    else if (ms < 1000)
        sink_printf(sink, "%" PRIu64 " ms", ms);
    else if (seconds < 10)
        sink_printf(sink, "%" PRIu64 ".%" PRIu64 " s", seconds, ms / 100 % 10);
    else if (seconds < 120)
        sink_printf(sink, "%" PRIu64 " s", seconds);
    else if (seconds < 2 * 3600)
        sink_printf(sink, "%" PRIu64 " min", seconds / 60);
    else if (seconds < 48 * 3600)
        sink_printf(sink, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds / 60 % 60);
    else
        sink_printf(sink, "%" PRIu64 " d %" PRIu64 " h", seconds / 86400, seconds / 3600 % 24);
}

static int buffer_write(struct sink *sink, const void *bytes, size_t length)
{
    struct sink_buffer *buffer = (struct sink_buffer *)sink;
    if (length >= buffer->capacity - buffer->length) {
        size_t capacity = buffer->capacity * 2;
        if (capacity < buffer->length + length + 1)
            capacity = buffer->length + length + 1;
        capacity = (capacity + 4095) & ~(size_t)4095;
        void *grown =
            buffer->bytes
                ? mremap(buffer->bytes, buffer->capacity, capacity, MREMAP_MAYMOVE)
                : mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (grown == MAP_FAILED)
            return -ENOMEM;
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    buffer->bytes[buffer->length] = 0;
    return 0;
}

void sink_buffer_init(struct sink_buffer *buffer)
{
    *buffer = (struct sink_buffer){ .sink = { .write = buffer_write } };
}

void sink_buffer_free(struct sink_buffer *buffer)
{
    if (buffer->bytes)
        munmap(buffer->bytes, buffer->capacity);
    sink_buffer_init(buffer);
}
