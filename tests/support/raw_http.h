/* raw_http.h: a client that sends what it is told, byte for byte, and reads
 * replies one at a time: for requests that no decent client would send. */
#ifndef SNAG_TESTS_RAW_HTTP_H
#define SNAG_TESTS_RAW_HTTP_H

#include "http_get.h"

#include <stdbool.h>
#include <stddef.h>

/* A connection to ADDRESS (as snag_address() gives it), or a negative errno. Each read
 * from it waits for at most SECONDS. */
int raw_connect(const char *address, int seconds);

/* All of BYTES; false when the other side has closed. */
bool raw_send(int fd, const void *bytes, size_t length);
bool raw_send_text(int fd, const char *text);

/* One reply, as long as its Content-Length says; without a body when IS_HEAD.
 * 0, or a negative errno: -ECONNRESET when there is none. */
int raw_reply(int fd, bool is_head, struct http_reply *reply);

/* Whether the other side has closed; waits for it as long as for a read. */
bool raw_is_closed(int fd);

/* Connects, sends the text made from FORMAT, reads one reply, closes. */
__attribute__((format(printf, 3, 4))) int raw_ask(const char *address, struct http_reply *reply,
                                                  const char *format, ...);

/* The value of header NAME, into TEXT; false when there is no such header. */
bool raw_header(const struct http_reply *reply, const char *name, char *text, size_t size);

#endif
