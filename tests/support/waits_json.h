/* waits_json.h: what the threads of a dump wait on, read back from
 * /debug/threads?format=json. */
#ifndef SNAG_TESTS_WAITS_JSON_H
#define SNAG_TESTS_WAITS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct seen_wait {
    pid_t tid;
    char name[64];
    char on[256];      /* "" where nothing is named */
    char detail[1024]; /* as printed, JSON's escapes and all */
    int fd;            /* -1 */
    uint64_t object;
    pid_t holder; /* 0 */
    bool timed;
    bool never;
    size_t deadlock; /* 0: in none */
};

struct seen_waits {
    size_t count;
    struct seen_wait *waits;
};

/* GETs them from ADDRESS. 0 or a negative errno; seen_free in every case. */
int seen_get(const char *address, struct seen_waits *seen);
void seen_free(struct seen_waits *seen);

/* The wait of thread TID; NULL. */
const struct seen_wait *seen_find(const struct seen_waits *seen, pid_t tid);

#endif
