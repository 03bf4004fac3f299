/* sink.h: where bytes of a reply go, whoever takes them.
 *
 * A sink is a struct with a `write` callback that its owner embeds first in a
 * struct of its own (an evbuffer, a file, a growing buffer). Writers check the
 * error once, at the end: after the first failure every write does nothing. */
#ifndef SNAG_BASE_SINK_H
#define SNAG_BASE_SINK_H

#include <stddef.h>
#include <stdint.h>

struct sink {
    /* Takes LENGTH bytes; 0 or a negative errno. */
    int (*write)(struct sink *sink, const void *bytes, size_t length);
    int error; /* the first failure, 0 while all is well */
};

void sink_write(struct sink *sink, const void *bytes, size_t length);
void sink_puts(struct sink *sink, const char *text);
__attribute__((format(printf, 2, 3))) void sink_printf(struct sink *sink, const char *format, ...);

/* TEXT as a JSON string with its quotes; NULL is written as null. Bytes that
 * are not UTF-8 become U+FFFD. */
void sink_json_string(struct sink *sink, const char *text);

/* TEXT with control characters (newline, tab, escape, a turn of the direction of writing ...) and
 * bytes that are not UTF-8 as \xNN, so that a name chosen by somebody else cannot draw on an
 * operator's terminal. */
void sink_plain(struct sink *sink, const char *text);

/* TEXT with the five characters that HTML gives a meaning as entities. */
void sink_html(struct sink *sink, const char *text);

/* NS nanoseconds as a person says it: "850 ms", "3.2 s", "20 min", "5 h 12 min". */
void sink_duration(struct sink *sink, uint64_t ns);

/* The length of the UTF-8 sequence at TEXT (terminated by 0), or 0 where there is none
 * (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t utf8_length(const unsigned char *text);

/* A sink that grows a buffer in memory from mmap. */
struct sink_buffer {
    struct sink sink;
    char *bytes; /* sink_buffer.length bytes, then a 0 */
    size_t length;
    size_t capacity;
};

void sink_buffer_init(struct sink_buffer *buffer);
void sink_buffer_free(struct sink_buffer *buffer);

#endif
