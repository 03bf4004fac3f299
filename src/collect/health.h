/* health.h: how a target does, round after round, and when that is worth a line.
 *
 * The first failure of a row is; one of another kind than those of the row before it; the 2nd,
 * 4th, 8th and so on; and that it is well again. A target that is down for a month costs 16
 * lines at one round a minute. One that comes and goes is told of at its 1st, 2nd, 4th, 8th row. */
#ifndef SNAG_COLLECT_HEALTH_H
#define SNAG_COLLECT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct health {
    unsigned long failures; /* in a row */
    unsigned kinds;         /* of the row that were told: a bit for each outcome_kind */
    time_t since;           /* the first of the row, on the wall's clock */
    unsigned long well;     /* rounds without, in a row */
    unsigned long rows;     /* of failures, with few rounds between them */
    bool is_quiet;          /* this row is not told of */
};

/* A round with failures of these KINDS. Whether to tell. */
bool health_failed(struct health *health, unsigned kinds);

/* A round without. How many failures it ends, 0 for none that were told of. */
unsigned long health_well(struct health *health);

/* "; 4 times in a row, since 2026-11-30T20:21:05Z", "; it comes and goes, 4 times by now"; "" the
 * first time. */
void health_words(const struct health *health, char *text, size_t size);

#endif
