/* strings.h: every string of a profile, once.
 *
 * Names, values, functions and files are numbers everywhere else. String 0
 * is "", as the format wants it. */
#ifndef SNAG_PROFILE_STRINGS_H
#define SNAG_PROFILE_STRINGS_H

#include "base/hash_index.h"

struct string {
    const char *text; /* UTF-8 */
    uint64_t prefix;  /* its first eight bytes, so that most comparisons end there */
    uint32_t length;
    uint32_t written; /* its number in the table that is written; 0: "" or not in use */
};

/* Most strings come again and again from the same place in memory: where it is
 * remembered, and still says the same, there is nothing to hash. */
#define STRINGS_RECENT 64u

struct recent_string {
    const char *from;
    uint32_t number;
};

struct strings {
    struct arena *arena;
    struct string *all; /* [0] is "" */
    size_t count;
    size_t capacity;
    struct hash_index index;
    struct recent_string recent[STRINGS_RECENT]; /* by the address it came from */
};

bool strings_init(struct strings *strings, struct arena *arena);

/* The number of TEXT, which is copied when new; NULL is "". Bytes that are not UTF-8
 * become U+FFFD: readers of proto3 refuse them. HASH_NONE without memory. */
uint32_t strings_add(struct strings *strings, const char *text);

/* Orders two of them by content, as strcmp does. */
int strings_compare(const struct strings *strings, uint32_t left, uint32_t right);

#endif
