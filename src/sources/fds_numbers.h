/* fds_numbers.h: a directory whose names are numbers, such as /proc/PID/fd. */
#ifndef SNAG_SOURCES_FDS_NUMBERS_H
#define SNAG_SOURCES_FDS_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#define NUMBERS_PORTION 2048u /* about 80 names */

struct numbers {
    int directory;
    int error;   /* a negative errno: the end was not reached */
    bool at_end; /* all have been told */
    long length; /* of the portion */
    long at;     /* ... that has been used */

    int64_t offset; /* of the entry behind the last one; -1 unknown */
    bool can_jump;  /* an entry's place is its number + 2, as far as seen */
    int first;      /* of the portion */
    int last;       /* the last number told; -1 */
    int count;      /* told of the portion */
    _Alignas(8) char portion[NUMBERS_PORTION];
};

/* From the first one on. */
void numbers_begin(struct numbers *numbers, int directory);

/* The next name that is a number; NULL at the end or after an error. */
const char *numbers_next(struct numbers *numbers);

/* Whether the portion is used up, and had no gap: what comes next may be tried without asking. */
bool numbers_are_dense(const struct numbers *numbers);

/* Goes on with the first number that is not below NUMBER. */
void numbers_jump(struct numbers *numbers, int number);

#endif
