/* health.c: how a target does, round after round; see health.h. */
#include "collect/health.h"

#include <stdio.h>

bool health_failed(struct health *health, unsigned kinds)
{
    bool is_new = (kinds & ~health->kinds) != 0;
    if (health->failures++ == 0)
        health->since = time(NULL);
    health->kinds |= kinds;
    return is_new || (health->failures & (health->failures - 1)) == 0;
}

unsigned long health_well(struct health *health)
{
    unsigned long failures = health->failures;
    health->failures = 0;
    health->kinds = 0;
    return failures;
}

void health_words(const struct health *health, char *text, size_t size)
{
    char when[32] = "";
    struct tm parts;
    *text = 0;
    if (health->failures < 2)
        return;
    if (gmtime_r(&health->since, &parts))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    snprintf(text, size, "; %lu times in a row, since %s", health->failures, when);
}
