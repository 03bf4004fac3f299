/* reply.h: what goes back: status, headers, body. */
#ifndef SNAG_SERVER_REPLY_H
#define SNAG_SERVER_REPLY_H

#include "base/sink.h"

#include <stdbool.h>
#include <stddef.h>

struct evbuffer;

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_HTML "text/html; charset=utf-8"
#define TYPE_JSON "application/json; charset=utf-8"
#define TYPE_BYTES "application/octet-stream"

struct reply {
    struct sink sink; /* first: writes into body */
    int status;
    const char *type; /* one of the above */
    struct evbuffer *body;
    struct evbuffer *headers; /* further ones, each with its line end */
};

/* An empty 200 of TYPE_TEXT; false without memory. reply_free in every case. */
bool reply_init(struct reply *reply);
void reply_free(struct reply *reply);

/* Adds a header, "Name: value" without its line end. */
__attribute__((format(printf, 2, 3))) void reply_header(struct reply *reply, const char *format,
                                                        ...);

/* Makes it an error: STATUS and one line of plain text, whatever was in it before. */
__attribute__((format(printf, 3, 4))) void reply_error(struct reply *reply, int status,
                                                       const char *format, ...);

/* Text of a client for an error line: LENGTH bytes at most, what is not printable ASCII as '?'. */
const char *reply_quote(char *quoted, size_t size, const char *text);

/* Moves the reply into OUT, as it goes over the wire. Without the body, but with its length, for
 * HEAD. KEEP_ALIVE and IS_HTTP_1_0 choose the Connection header. */
void reply_send(struct reply *reply, struct evbuffer *out, bool is_head, bool keep_alive,
                bool is_http_1_0);

#endif
