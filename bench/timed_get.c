/* timed_get.c: the client of every measurement, of snag's and of the peer's.
 *
 *   timed_get ADDRESS PATH [COUNT [PAUSE_MS]]
 * GETs COUNT times, each on a connection of its own as curl and pprof do, and
 * prints a line each: milliseconds from connect to the last byte, and bytes. */
#include "http_get.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: timed_get ADDRESS PATH [COUNT [PAUSE_MS]]\n", stderr);
        return 2;
    }
    long count = argc > 3 ? atol(argv[3]) : 1;
    long pause_ms = argc > 4 ? atol(argv[4]) : 0;
    for (long i = 0; i < count; i++) {
        struct http_reply reply;
        double before = now_ms();
        int status = http_get(argv[1], argv[2], 60, &reply);
        double took = now_ms() - before;
        if (status || reply.status != 200) {
            fprintf(stderr, "timed_get: %s%s: %s, status %d\n", argv[1], argv[2], strerror(-status),
                    reply.status);
            return 1;
        }
        printf("%.3f %zu\n", took, reply.length);
        fflush(stdout);
        http_reply_free(&reply);
        if (pause_ms > 0)
            usleep((useconds_t)pause_ms * 1000);
    }
    return 0;
}
