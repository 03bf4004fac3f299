/* alarms.c: what grows, in words; see alarms.h.
 *
 * Where a total grows because one group of it does, the group says where, so it alone is said. */
#include "watch/alarms.h"

#include "base/sink.h"
#include "watch/growth.h"
#include "watch/series.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED 32

struct alarms {
    struct growth *growth;
    struct growth_finding findings[LISTED];
    size_t count;
    struct watch_growth list[LISTED]; /* those of them that still grow */
    size_t listed;
};

struct alarms *alarms_new(unsigned period_seconds)
{
    const struct growth_options options = {
        .size = sizeof options,
        .period_ns = (uint64_t)period_seconds * 1000000000,
    };
    struct alarms *alarms = calloc(1, sizeof *alarms);
    if (!alarms)
        return NULL;
    alarms->growth = growth_new(&options);
    if (alarms->growth)
        return alarms;
    free(alarms);
    return NULL;
}

void alarms_free(struct alarms *alarms)
{
    if (!alarms)
        return;
    growth_free(alarms->growth);
    free(alarms);
}

/* Whether a group of FINDING's profile is told at the same level, so that it says more. */
static bool is_said_by_group(const struct alarms *alarms, const struct growth_finding *finding)
{
    for (size_t i = 0; finding->key == 0 && i < alarms->count; i++)
        if (alarms->findings[i].profile == finding->profile && alarms->findings[i].key != 0 &&
            alarms->findings[i].level == finding->level)
            return true;
    return false;
}

static void fill(struct watch_growth *growth, const struct growth_finding *finding,
                 const struct series *series, uint64_t now_ns)
{
    struct sink_buffer place;
    *growth = (struct watch_growth){
        .is_alarm = finding->level == GROWTH_ALARM,
        .key = finding->key,
        .value = finding->value,
        .from = finding->from,
        .now = finding->now,
        .for_ns = now_ns > finding->since_ns ? now_ns - finding->since_ns : 0,
        .per_hour = finding->per_hour,
        .why = growth_reason_words(finding->reason),
    };
    snprintf(growth->profile, sizeof growth->profile, "%s",
             series_profile(series, finding->profile));
    sink_buffer_init(&place);
    series_write_place(series, &place.sink, finding->profile, finding->key);
    snprintf(growth->place, sizeof growth->place, "%s", place.bytes ? place.bytes : "");
    sink_buffer_free(&place);
}

void watch_growth_write(struct sink *sink, const struct watch_growth *growth)
{
    sink_puts(sink, growth->profile);
    if (growth->place[0]) {
        sink_puts(sink, " ");
        sink_plain(sink, growth->place);
    }
    sink_printf(sink, ": %" PRIu64 ", grown from %" PRIu64 " to %" PRIu64 " in ", growth->value,
                growth->from, growth->now);
    sink_duration(sink, growth->for_ns);
    sink_printf(sink, " (%+.*f an hour)", growth->per_hour < 10 ? 1 : 0, growth->per_hour);
}

void watch_growth_write_verdict(struct sink *sink, const struct watch_growth *growth)
{
    watch_growth_write(sink, growth);
    sink_puts(sink, growth->is_alarm ? ": a leak, as " : ": ");
    sink_puts(sink, growth->why);
}

static void say_finding(const struct growth_finding *finding, const struct watch_growth *growth,
                        void (*say)(void *user, const char *line), void *user)
{
    struct sink_buffer line;
    sink_buffer_init(&line);
    if (finding->level == GROWTH_ALARM) {
        watch_growth_write_verdict(&line.sink, growth);
    } else {
        watch_growth_write(&line.sink, growth);
        sink_puts(&line.sink, ": grows no more");
    }
    if (line.bytes)
        say(user, line.bytes);
    sink_buffer_free(&line);
}

bool alarms_look(struct alarms *alarms, const struct series *series, uint64_t now_ns,
                 void (*say)(void *user, const char *line), void *user)
{
    bool is_news = false;
    growth_begin_tick(alarms->growth, now_ns);
    series_feed(series, alarms->growth);
    growth_end_tick(alarms->growth);
    alarms->count = growth_findings(alarms->growth, alarms->findings, LISTED);
    alarms->listed = 0;
    for (size_t i = 0; i < alarms->count; i++) {
        const struct growth_finding *finding = &alarms->findings[i];
        struct watch_growth *growth = &alarms->list[alarms->listed];
        fill(growth, finding, series, now_ns);
        growth->is_in_group = is_said_by_group(alarms, finding);
        if (finding->level != GROWTH_STOPPED)
            alarms->listed++;
        if (!finding->is_new || finding->level == GROWTH_POSSIBLE || growth->is_in_group)
            continue;
        say_finding(finding, growth, say, user);
        is_news |= finding->level == GROWTH_ALARM;
    }
    return is_news;
}

const struct watch_growth *alarms_list(const struct alarms *alarms, size_t *count)
{
    *count = alarms->listed;
    return alarms->list;
}
