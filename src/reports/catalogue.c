/* catalogue.c: the list of reports.
 *
 * The order is that of the index page. A name is looked up by a walk: there
 * will never be more than a handful. */
#include "reports/catalogue.h"

#include <string.h>

const struct report *const report_catalogue[] = {
    &threads_report,
    &threadleak_report,
    &fds_report,
    &stuck_report,
    NULL,
};

const struct report *report_find(const char *name)
{
    for (const struct report *const *row = report_catalogue; *row; row++) {
        const struct report *report = *row;
        if (strcmp(name, report->name) == 0 || (report->alias && strcmp(name, report->alias) == 0))
            return report;
    }
    return NULL;
}

bool report_has_form(const struct report *report, enum report_form form)
{
    switch (form) {
    case REPORT_PPROF:
    case REPORT_COUNTS: return report->samples != NULL;
    case REPORT_BLOCKS: return report->blocks != NULL;
    case REPORT_GROUPS: return report->groups != NULL;
    case REPORT_JSON: return report->json != NULL;
    }
    return false;
}
