/* health.c: how a target does, round after round; see health.h. */
#include "collect/health.h"

#include <stdio.h>

/* So many rounds are few between two rows; and no row of more stays untold. */
#define FEW 16

static bool is_doubling(unsigned long number)
{
    return (number & (number - 1)) == 0;
}

static void begin_row(struct health *health)
{
    health->rows = health->well < FEW ? health->rows + 1 : 1;
    health->is_quiet = !is_doubling(health->rows);
    health->since = time(NULL);
}

bool health_failed(struct health *health, unsigned kinds)
{
    bool is_new = (kinds & ~health->kinds) != 0;
    if (health->failures == 0)
        begin_row(health);
    health->failures++;
    health->kinds |= kinds;
    health->well = 0;
    if (health->failures >= FEW)
        health->is_quiet = false;
    return !health->is_quiet && (is_new || is_doubling(health->failures));
}

unsigned long health_well(struct health *health)
{
    unsigned long told = health->is_quiet ? 0 : health->failures;
    health->failures = 0;
    health->kinds = 0;
    health->well++;
    return told;
}

void health_words(const struct health *health, char *text, size_t size)
{
    char when[32] = "";
    struct tm parts;
    *text = 0;
    if (health->failures < 2) {
        if (health->rows > 1)
            snprintf(text, size, "; it comes and goes, %lu times by now", health->rows);
        return;
    }
    if (gmtime_r(&health->since, &parts))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    snprintf(text, size, "; %lu times in a row, since %s", health->failures, when);
}
