/* growth.c: series by profile and key, and the ticks that feed them.
 *
 * A table of fixed size: when it is full, the least interesting make room (those at 0, then
 * those that have not grown, smaller ones first), at the end of a tick. What a newcomer was
 * before it came is known only while nothing has been dropped: 0.
 * Main entries: growth_value(), growth_end_tick(). */
#include "watch/growth.h"

#include "base/hash_index.h"
#include "watch/growth_series.h"

#include <stdlib.h>
#include <string.h>

#define NO_SERIES UINT32_MAX
#define SIZE_MATTERS 1024 /* growth by one is worth more than any size */

struct growth {
    struct growth_clock clock;
    bool ticked;       /* there has been a tick before this one */
    bool complete;     /* nothing has been dropped or refused yet */
    uint64_t first_ns; /* the first tick */
    size_t capacity;   /* of series */
    size_t count;      /* in use */
    uint32_t *index;   /* a power of two; numbers of series, NO_SERIES */
    size_t index_size;
    uint32_t *unused; /* numbers of those not in use, a stack */
    uint64_t dropped;
    uint64_t best_refused; /* what the best is worth that found no room at this tick ... */
    uint64_t bar;          /* ... and at the last: less is not taken, that this one may be */
    size_t refused;
    size_t memory;
    struct growth_series *series;
};

static void index_clear(struct growth *growth)
{
    for (size_t i = 0; i < growth->index_size; i++)
        growth->index[i] = NO_SERIES;
}

static void start_clock(struct growth *growth, uint64_t now_ns)
{
    static const unsigned parts[SCALES] = { 8640, 720, 72, LONG_A_PERIOD };
    struct growth_clock *clock = &growth->clock;
    for (int scale = 0; scale < SCALES; scale++) {
        clock->begun_ns[scale] = now_ns;
        clock->width_ns[scale] = clock->period_ns / parts[scale];
        if (clock->width_ns[scale] == 0)
            clock->width_ns[scale] = 1;
    }
    growth->first_ns = now_ns;
    growth->complete = true;
}

static uint64_t size_of(uint64_t value)
{
    return value < SIZE_MATTERS ? value : SIZE_MATTERS - 1;
}

struct growth *growth_new(const struct growth_options *options)
{
    struct growth *growth = calloc(1, sizeof *growth);
    if (!growth)
        return NULL;
    size_t capacity = options && options->series_max ? options->series_max : GROWTH_SERIES_MAX;
    growth->clock.period_ns =
        options && options->period_ns ? options->period_ns : 24 * GROWTH_HOUR_NS;
    growth->capacity = capacity;
    growth->index_size = 16;
    while (growth->index_size < capacity * 2)
        growth->index_size *= 2;
    /* Pages of series that never come are never touched. */
    growth->series = calloc(capacity, sizeof *growth->series);
    growth->index = calloc(growth->index_size, sizeof *growth->index);
    growth->unused = calloc(capacity, sizeof *growth->unused);
    growth->memory = sizeof *growth + capacity * (sizeof *growth->series + sizeof *growth->unused) +
                     growth->index_size * sizeof *growth->index;
    if (!growth->series || !growth->index || !growth->unused) {
        growth_free(growth);
        return NULL;
    }
    index_clear(growth);
    for (size_t i = 0; i < capacity; i++)
        growth->unused[i] = (uint32_t)(capacity - 1 - i);
    return growth;
}

void growth_free(struct growth *growth)
{
    if (!growth)
        return;
    free(growth->series);
    free(growth->index);
    free(growth->unused);
    free(growth);
}

/* The place in the index of that series, or the free place where it would be. */
static size_t place_of(const struct growth *growth, uint32_t profile, uint64_t key)
{
    size_t place = hash_word(profile, key) & (growth->index_size - 1);
    for (;; place = (place + 1) & (growth->index_size - 1)) {
        uint32_t number = growth->index[place];
        if (number == NO_SERIES ||
            (growth->series[number].key == key && growth->series[number].profile == profile))
            return place;
    }
}

/* How much it would be missed: alarms and totals first, then what has grown, then size. */
static uint64_t interest(const struct growth *growth, const struct growth_series *series)
{
    if (series->told.level == GROWTH_ALARM || series->key == 0)
        return UINT64_MAX;
    uint64_t now = series->has_old ? series->old : series->value;
    uint64_t least = now;
    for (int scale = SCALE_MIDDLE; scale < SCALES; scale++) {
        uint64_t then = floors_oldest(series, &growth->clock, (enum growth_scale)scale);
        least = then < least ? then : least;
    }
    return (now - least) * SIZE_MATTERS + size_of(series->value);
}

/* Where the table is full a group is not taken. It is worth what its size is, so that one that
 * has grown outside finds its way in. */
static void refuse(struct growth *growth, uint64_t worth)
{
    if (worth > growth->best_refused)
        growth->best_refused = worth;
    growth->refused++;
    growth->complete = false;
}

static struct growth_series *admit(struct growth *growth, size_t place,
                                   const struct growth_sample *sample)
{
    uint64_t worth = sample->key == 0 ? UINT64_MAX : size_of(sample->value);
    if (growth->count == growth->capacity || worth < growth->bar) {
        refuse(growth, worth);
        return NULL;
    }
    uint32_t number = growth->unused[growth->capacity - 1 - growth->count];
    growth->count++;
    growth->index[place] = number;
    struct growth_series *series = &growth->series[number];
    memset(series, 0, sizeof *series);
    series->used = true;
    series->key = sample->key;
    series->profile = sample->profile;
    series->told.level = LEVEL_NONE;
    series->has_old = sample->old != GROWTH_UNKNOWN;
    bool zero_before = growth->ticked && growth->complete && sample->key != 0;
    series->known_ns = zero_before ? growth->first_ns : growth->clock.now_ns;
    floors_begin(series, &growth->clock, zero_before);
    return series;
}

void growth_begin_tick(struct growth *growth, uint64_t now_ns)
{
    if (!growth->ticked)
        start_clock(growth, now_ns);
    if (now_ns > growth->clock.now_ns) /* a clock that stands still makes no buckets */
        growth->clock.now_ns = now_ns;
    growth->bar = growth->best_refused;
    growth->best_refused = 0;
    growth->refused = 0;
}

void growth_value(struct growth *growth, const struct growth_sample *sample)
{
    size_t place = place_of(growth, sample->profile, sample->key);
    struct growth_series *series;
    if (growth->index[place] != NO_SERIES)
        series = &growth->series[growth->index[place]];
    else
        series = admit(growth, place, sample);
    if (!series)
        return;
    bool has_old = sample->old != GROWTH_UNKNOWN;
    if (has_old != series->has_old) { /* what was kept is of something else */
        series->known_ns = growth->clock.now_ns;
        series->rise = (struct growth_rise){ 0 };
        floors_begin(series, &growth->clock, false);
    }
    series->has_old = has_old;
    series->seen = true;
    series->value = sample->value;
    series->limit = sample->limit;
    series->old = has_old ? sample->old : 0;
    if (sample->value)
        series->present_ns = growth->clock.now_ns;
}

static void drop(struct growth *growth, uint32_t number)
{
    growth->series[number].used = false;
    growth->count--;
    growth->unused[growth->capacity - 1 - growth->count] = number;
}

/* After some have been dropped; their chains in the index are broken. */
static void index_again(struct growth *growth)
{
    index_clear(growth);
    for (uint32_t i = 0; i < growth->capacity; i++)
        if (growth->series[i].used)
            growth->index[place_of(growth, growth->series[i].profile, growth->series[i].key)] = i;
}

/* Drops what is worth less than the best that found no room: as many as were refused, at most
 * a sixteenth of all, the least interesting by powers of two first. */
static void make_room(struct growth *growth)
{
    size_t wanted = growth->capacity / 16 + 1;
    if (growth->refused < wanted)
        wanted = growth->refused;
    size_t gone = 0;
    for (unsigned power = 0; power <= 64 && gone < wanted; power++) {
        if (power > 0 && growth->best_refused >> (power - 1) == 0)
            break;
        for (uint32_t i = 0; i < growth->capacity && gone < wanted; i++) {
            if (!growth->series[i].used)
                continue;
            uint64_t worth = interest(growth, &growth->series[i]);
            if (worth < growth->best_refused && (power == 64 || worth >> power == 0)) {
                drop(growth, i);
                gone++;
            }
        }
    }
    growth->dropped += gone;
    if (gone)
        index_again(growth);
}

/* Groups that have been away for a period, once the table is half full. */
static void forget(struct growth *growth)
{
    size_t gone = 0;
    for (uint32_t i = 0; i < growth->capacity && growth->count * 2 > growth->capacity; i++) {
        struct growth_series *series = &growth->series[i];
        if (series->used && series->key && series->told.level == LEVEL_NONE &&
            growth->clock.now_ns - series->present_ns > growth->clock.period_ns) {
            drop(growth, i);
            gone++;
        }
    }
    if (gone)
        index_again(growth);
}

/* Closes what buckets end now, in all series. Returns the scales that they are of, as bits. */
static unsigned close_buckets(struct growth *growth)
{
    unsigned closed = 0;
    for (int s = 0; s < SCALES; s++) {
        enum growth_scale scale = (enum growth_scale)s;
        for (uint32_t due = clock_due(&growth->clock, scale); due > 0; due--) {
            for (size_t i = 0; i < growth->capacity; i++)
                if (growth->series[i].used)
                    floors_close(&growth->series[i], &growth->clock, scale);
            clock_close(&growth->clock, scale);
            closed |= 1U << scale;
        }
    }
    return closed;
}

void growth_end_tick(struct growth *growth)
{
    for (size_t i = 0; i < growth->capacity; i++) {
        struct growth_series *series = &growth->series[i];
        if (!series->used)
            continue;
        if (!series->seen)
            series->value = series->old = 0;
        series->seen = false;
        floors_take(series);
    }
    unsigned closed = close_buckets(growth);
    for (size_t i = 0; i < growth->capacity; i++)
        if (growth->series[i].used)
            rules_look(&growth->series[i], &growth->clock, closed);
    if (closed & (1U << SCALE_LONG))
        forget(growth);
    if (growth->refused)
        make_room(growth);
    growth->ticked = true;
}

static void describe(const struct growth_series *series, struct growth_finding *finding)
{
    const struct growth_told *told = &series->told;
    *finding = (struct growth_finding){
        .profile = series->profile,
        .key = series->key,
        .level = (enum growth_level)told->level,
        .reason = (enum growth_reason)told->reason,
        .is_new = told->is_new,
        .told = told->told,
        .since_ns = told->since_ns,
        .from = told->from,
        .now = told->now,
        .value = series->value,
        .per_hour = (double)told->per_hour,
        .steadiness = told->steadiness,
        .limit_ns = GROWTH_UNKNOWN,
    };
    if (series->limit != GROWTH_UNKNOWN && finding->per_hour > 0) {
        double left = (double)series->limit - (double)series->value;
        double ns = left > 0 ? left / finding->per_hour * (double)GROWTH_HOUR_NS : 0;
        if (ns < (double)GROWTH_HOUR_NS * 24 * 365)
            finding->limit_ns = (uint64_t)ns;
    }
}

/* Whether LEFT is told before RIGHT. */
static bool before(const struct growth_finding *left, const struct growth_finding *right)
{
    bool left_alarms = left->level != GROWTH_POSSIBLE;
    bool right_alarms = right->level != GROWTH_POSSIBLE;
    if (left_alarms != right_alarms)
        return left_alarms;
    int64_t left_grown = (int64_t)(left->now - left->from);
    int64_t right_grown = (int64_t)(right->now - right->from);
    return left_grown > right_grown;
}

size_t growth_findings(const struct growth *growth, struct growth_finding *list, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < growth->capacity; i++) {
        const struct growth_series *series = &growth->series[i];
        if (!series->used || series->told.level == LEVEL_NONE)
            continue;
        struct growth_finding found;
        describe(series, &found);
        size_t place = count;
        while (place > 0 && before(&found, &list[place - 1]))
            place--;
        if (place == room)
            continue;
        if (count < room)
            count++;
        memmove(&list[place + 1], &list[place], (count - 1 - place) * sizeof *list);
        list[place] = found;
    }
    return count;
}

static const char *const words[GROWTH_REASONS][2] = {
    [GROWTH_RISES] = { "rises", "it rises steadily, as a warm-up or a busy hour does, too" },
    [GROWTH_LIMIT] = { "limit", "it is above two thirds of its limit and there within the hour" },
    [GROWTH_OLDER] = { "older", "its old ones become more all around the clock" },
    [GROWTH_LEVEL] = { "level", "it rises without slackening, far above all before" },
    [GROWTH_DAILY] = { "daily", "it is higher each day than the day before, at every hour" },
};

const char *growth_reason_word(enum growth_reason reason)
{
    return reason < GROWTH_REASONS ? words[reason][0] : "";
}

const char *growth_reason_words(enum growth_reason reason)
{
    return reason < GROWTH_REASONS ? words[reason][1] : "";
}

size_t growth_series(const struct growth *growth)
{
    return growth->count;
}

uint64_t growth_dropped(const struct growth *growth)
{
    return growth->dropped;
}

size_t growth_refused(const struct growth *growth)
{
    return growth->refused;
}

size_t growth_memory(const struct growth *growth)
{
    return growth->memory;
}
