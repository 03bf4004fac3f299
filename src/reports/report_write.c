/* report_write.c: a dump, written in the form that was asked for.
 *
 * The one way from a dump to bytes, whoever asked: an HTTP reply and
 * snag_write come out equal because both come through report_write. */
#include "reports/reports.h"

#include "base/sink.h"
#include "profile/profile.h"

#include <errno.h>
#include <stdio.h>

/* Of a part that cannot be named, that of the whole. */
static void name_profile(struct lab *lab, const struct report_query *query,
                         char name[REPORT_NAME_SIZE])
{
    const struct report *report = query->report;
    if (query->part == 0 || !report->parts->name(lab, query->part, name))
        snprintf(name, REPORT_NAME_SIZE, "%s", report->name);
}

static int write_profile(struct lab *lab, const struct report_query *query, const void *earlier,
                         const void *now, struct sink *sink)
{
    const struct report *report = query->report;
    char name[REPORT_NAME_SIZE];
    name_profile(lab, query, name);
    struct profile *profile = profile_new(name, lab->modules, lab->symbolizer);
    if (!profile)
        return -ENOMEM;
    uint64_t time = report->time_ns(now);
    uint64_t before = earlier ? report->time_ns(earlier) : time;
    profile_set_time(profile, time, time > before ? time - before : 0);
    /* In the text, samples that differ by their number alone are better read together. */
    bool with_numbers = query->with_tid || (report->is_numbered && query->form == REPORT_PPROF);
    report->types(profile, now, earlier);
    if (earlier)
        report->samples(profile, earlier, -1, with_numbers);
    report->samples(profile, now, 1, with_numbers);
    report->comments(profile, now);
    if (earlier)
        profile_add_comment(profile, "the difference over %u s", query->seconds);
    int status = query->form == REPORT_PPROF ? profile_write_gzip(profile, sink)
                                             : profile_write_text(profile, sink);
    profile_free(profile);
    return status;
}

int report_write(struct lab *lab, const struct report_query *query, const void *earlier,
                 const void *now, struct sink *sink)
{
    const struct report *report = query->report;
    if (!report_has_form(report, query->form))
        return -EOPNOTSUPP;
    switch (query->form) {
    case REPORT_PPROF:
    case REPORT_COUNTS: return write_profile(lab, query, earlier, now, sink);
    case REPORT_BLOCKS: report->blocks(sink, now, lab->symbolizer); break;
    case REPORT_GROUPS: report->groups(sink, now, lab->symbolizer); break;
    case REPORT_JSON: report->json(sink, now, lab->symbolizer); break;
    }
    return sink->error;
}
