/* catalogue.c: the list of reports.
 *
 * The order is that of the index page. A name is looked up by a walk: there
 * will never be more than a handful, and as many inventories as somebody has made. */
#include "reports/catalogue.h"

#include <stdio.h>
#include <string.h>

const struct report *const report_catalogue[] = {
    &threads_report, &threadleak_report, &fds_report, &handles_report, &stuck_report, NULL,
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

/* The one behind REPORT, NULL behind the last. */
static const struct report *behind(const struct report *report)
{
    const struct report *const *row = report_catalogue;
    while (*row && *row != report)
        row++;
    return *row ? row[1] : NULL;
}

static void begin_report(struct report_entry *entry, const struct report *report)
{
    *entry = (struct report_entry){ .report = report };
    snprintf(entry->name, sizeof entry->name, "%s", report->name);
}

bool report_next(struct lab *lab, struct report_entry *entry)
{
    const struct report_parts *parts = entry->report ? entry->report->parts : NULL;
    unsigned how_many = parts ? parts->how_many(lab) : 0;
    while (entry->part < how_many)
        if (parts->name(lab, ++entry->part, entry->name))
            return true;
    const struct report *next = entry->report ? behind(entry->report) : report_catalogue[0];
    if (next)
        begin_report(entry, next);
    return next != NULL;
}

bool report_look_up(struct lab *lab, const char *name, struct report_entry *entry)
{
    const struct report *report = report_find(name);
    if (report) {
        begin_report(entry, report);
        return true;
    }
    *entry = (struct report_entry){ .report = NULL };
    while (report_next(lab, entry))
        if (entry->part > 0 && strcmp(entry->name, name) == 0)
            return true;
    return false;
}

long report_count(struct lab *lab, const struct report_entry *entry)
{
    return entry->part > 0 ? entry->report->parts->count(lab, entry->part)
                           : entry->report->count(lab);
}

int report_take(struct lab *lab, const struct report *report, unsigned part, bool with_details,
                void **dump)
{
    if (part > 0)
        return report->parts->take(lab, part, with_details, dump);
    return with_details && report->take_details ? report->take_details(lab, dump)
                                                : report->take(lab, dump);
}
