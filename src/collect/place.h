/* place.h: where a target answers, as it is written on the command line or in a file:
 *
 *   HOST:PORT   [::1]:PORT   http://HOST:PORT/PREFIX   HOST:PORT/PREFIX   unix:/PATH
 *
 * PREFIX stands before /debug/pprof, for a service behind a proxy. */
#ifndef SNAG_COLLECT_PLACE_H
#define SNAG_COLLECT_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place {
    bool is_unix;
    char host[256]; /* a name or a number, without brackets; the path of a Unix socket */
    uint16_t port;
    char prefix[256]; /* "/app", "" mostly */
    char text[544];   /* as it is told: "[::1]:6060/app", "unix:/run/app.sock" */
};

/* 0; or -EINVAL, and WHY says what is wrong with TEXT. */
int place_read(const char *text, struct place *place, char *why, size_t size);

#endif
