/* http.h: a small HTTP/1.1 client, with the ownership rule that leaks are made of.
 *
 * http_get() makes an http_response: a piece of heap, a socket, and a reader
 * thread, on which the handler runs. The response is the handler's from then on, and
 * http_response_close() is the only thing that ends it: not reading the body
 * to its end, not an error status, not the end of the server. A handler that
 * returns on any path without it has lost a socket for good; one that goes on reading
 * what the server never ends has lost the thread as well.
 *
 * Understood are bodies with a Content-Length and bodies that end with the
 * connection; a chunked one is -EPROTONOSUPPORT. */
#ifndef EXAMPLES_HTTP_H
#define EXAMPLES_HTTP_H

#include <stddef.h>
#include <sys/types.h>

#define HTTP_HEAD_LONGEST 8192

typedef struct http_response {
    int status;         /* 200, 404, ...; a negative errno when no valid head came */
    long long length;   /* Content-Length; -1: until the server closes */
    long long received; /* bytes of the body handed out so far */

    int socket;
    size_t head_size;               /* where the body begins in `buffer` */
    size_t buffered;                /* bytes in `buffer` */
    char buffer[HTTP_HEAD_LONGEST]; /* the head, and what came with it of the body */
    void (*handler)(struct http_response *response);
} http_response;

/* Called exactly once, on the response's own reader thread, when the head has
 * arrived or has failed to. RESPONSE is never NULL, and HANDLER owns it: it
 * must call http_response_close(RESPONSE) on every path, also when the status is an error. */
typedef void http_handler(http_response *response);

/* Returns GIVEN. A handler says by it that it takes over its response, which `snag check` cannot
 * know of an argument: see snag-resources.txt. */
http_response *http_own(http_response *given);

/* Sends "GET PATH" to HOST:PORT and starts the reader thread, which calls
 * HANDLER. Returns 0, or a negative errno with nothing to close, HANDLER not called. */
int http_get(const char *host, const char *port, const char *path, http_handler *handler);

/* Waits for a piece of the body and puts at most SIZE bytes of it into PIECE.
 * Returns their number, 0 at the end of the body, or a negative errno. There
 * is no time limit: it waits for as long as the server keeps the connection open. */
ssize_t http_read_body(http_response *response, char *piece, size_t size);

/* Reads the rest of the body and throws it away. Does NOT close the response.
 * Returns how many bytes there were, or a negative errno. */
long long http_skip_body(http_response *response);

/* Closes the socket and frees RESPONSE; NULL is allowed. */
void http_response_close(http_response *response);

/* Responses that were given out and are not closed yet. */
int http_responses_open(void);

/* The way not to forget: a response held by a variable declared so is closed
 * when the variable goes out of scope, whichever way that is.
 *     HTTP_CLOSED_AT_END http_response *response = http_own(given); */
#define HTTP_CLOSED_AT_END __attribute__((cleanup(http_close_held)))
void http_close_held(http_response **held);

#endif
