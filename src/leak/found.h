/* found.h: the leaks that were found, between leak.c and words.c. Private to leak/. */
#ifndef SNAG_LEAK_FOUND_H
#define SNAG_LEAK_FOUND_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct descriptor;
struct fd_dump;
struct handle_dump;
struct handle_holding;
struct lab;
struct leak_query;
struct origin;
struct picture;
struct sink;
struct symbolizer;
struct thread_sample;
struct wait;

struct leaked_thread {
    const struct thread_sample *thread;
    const struct wait *wait;
    const struct origin *origin; /* who started it; NULL not known */
};

struct leaked_handles {
    const char *inventory;
    const struct handle_holding *holding; /* its `since_count` of them */
};

struct found {
    struct arena arena; /* owns the lists */
    struct picture *picture;
    struct leaked_thread *threads;
    size_t thread_count;
    const struct descriptor **fds;
    size_t fd_count;
    struct handle_dump *dump; /* NULL: handles were not looked for */
    struct leaked_handles *handles;
    size_t holding_count; /* of the list */
    size_t handle_count;  /* in all of them */
};

/* Whether QUERY's lists ignore a thread, a descriptor. */
bool rules_ignore_thread(const struct leak_query *query, const struct leaked_thread *thread,
                         struct symbolizer *symbolizer);
/* Whether it is a thread of a sanitizer's, and not the program's. */
bool rules_know_thread(const struct leaked_thread *thread, struct symbolizer *symbolizer);

bool rules_ignore_handles(const struct leak_query *query, const struct leaked_handles *handles,
                          struct symbolizer *symbolizer);
bool rules_ignore_fd(const struct leak_query *query, const struct descriptor *descriptor,
                     struct symbolizer *symbolizer);

void found_write(struct sink *sink, const struct found *found, struct lab *lab);

#endif
