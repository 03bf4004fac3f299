/* leak_rules.h: what a leak check looks for and what it ignores, as options and environment say. */
#ifndef SNAG_API_LEAK_RULES_H
#define SNAG_API_LEAK_RULES_H

#include "leak/seam.h"

#define SNAG_LEAK_NOTHING_BEFORE_MAIN /* it is said here, not used */
#include <snag/leak.h>

#include <stdbool.h>

struct leak_rules {
    unsigned what;
    unsigned attempts;
    bool any;                              /* there are rules */
    const char *const *ignore[LEAK_LISTS]; /* each ended by NULL, or NULL */
    char *texts[LEAK_LISTS];               /* the environment's, cut into pieces */
};

/* 0; -EINVAL with one line in ERROR, -ENOMEM, and nothing to free. OPTIONS may be NULL; its strings
 * must stay until leak_rules_free. */
int leak_rules_read(const snag_leak_options *options, struct leak_rules *rules, char *error,
                    size_t size);
void leak_rules_free(struct leak_rules *rules);

#endif
