/* growth_floors.c: the lowest values of stretches of time, on four scales.
 *
 * A ring of buckets a scale. What is gone from a fine ring is still in the coarser ones. */
#include "watch/growth_series.h"

#include <string.h>

static const uint16_t counts[SCALES] = { QUICK_COUNT, SHORT_COUNT, MIDDLE_COUNT, LONG_COUNT };
static const uint16_t offsets[SCALES] = { 0, QUICK_COUNT, QUICK_COUNT + SHORT_COUNT,
                                          QUICK_COUNT + SHORT_COUNT + MIDDLE_COUNT };

#define MANTISSA 11

uint16_t floor_pack(uint64_t value)
{
    if (value < UINT64_C(1) << MANTISSA)
        return (uint16_t)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - MANTISSA;
    if (shift > 30)
        return UINT16_MAX;
    return (uint16_t)(((shift + 1) << MANTISSA) | ((value >> shift) & ((1U << MANTISSA) - 1)));
}

uint64_t floor_unpack(uint16_t packed)
{
    unsigned exponent = packed >> MANTISSA;
    uint64_t mantissa = packed & ((1U << MANTISSA) - 1);
    if (exponent == 0)
        return mantissa;
    return (mantissa | (1U << MANTISSA)) << (exponent - 1);
}

/* The slot of bucket NUMBER. */
static size_t slot(enum growth_scale scale, uint32_t number)
{
    return offsets[scale] + number % counts[scale];
}

uint32_t clock_due(const struct growth_clock *clock, enum growth_scale scale)
{
    uint64_t gone = (clock->now_ns - clock->begun_ns[scale]) / clock->width_ns[scale];
    if (gone == 0)
        return 0;
    if (scale != SCALE_LONG)
        return 1;
    return gone < LONG_COUNT ? (uint32_t)gone : LONG_COUNT;
}

void clock_close(struct growth_clock *clock, enum growth_scale scale)
{
    uint64_t end = clock->begun_ns[scale] + clock->width_ns[scale];
    bool late =
        clock->now_ns - end >= clock->width_ns[scale] * (scale == SCALE_LONG ? LONG_COUNT : 1);
    clock->ended_ns[slot(scale, clock->closed[scale])] = scale == SCALE_LONG ? end : clock->now_ns;
    clock->closed[scale]++;
    clock->begun_ns[scale] = late ? clock->now_ns : end;
}

static uint16_t now_of(const struct growth_series *series, enum growth_scale scale)
{
    bool old = series->has_old && scale >= SCALE_MIDDLE;
    return floor_pack(old ? series->old : series->value);
}

void floors_begin(struct growth_series *series, const struct growth_clock *clock, bool zero_before)
{
    memset(series->floors, 0, sizeof series->floors);
    for (int scale = 0; scale < SCALES; scale++) {
        series->first[scale] = zero_before ? 0 : clock->closed[scale];
        series->open[scale] = zero_before ? 0 : UINT16_MAX;
    }
}

void floors_take(struct growth_series *series)
{
    for (int scale = 0; scale < SCALES; scale++) {
        uint16_t now = now_of(series, (enum growth_scale)scale);
        if (now < series->open[scale])
            series->open[scale] = now;
    }
}

void floors_close(struct growth_series *series, const struct growth_clock *clock,
                  enum growth_scale scale)
{
    uint16_t *kept = &series->floors[slot(scale, clock->closed[scale])];
    bool was_known = clock->closed[scale] >= series->first[scale] + counts[scale];
    if (scale == SCALE_SHORT && was_known && *kept > series->past)
        series->past = *kept;
    *kept = series->open[scale];
    series->open[scale] = UINT16_MAX;
}

size_t floors_known(const struct growth_series *series, const struct growth_clock *clock,
                    enum growth_scale scale)
{
    size_t known = clock->closed[scale] - series->first[scale];
    return known < counts[scale] ? known : counts[scale];
}

uint64_t floors_ended(const struct growth_clock *clock, enum growth_scale scale, size_t ago)
{
    return clock->ended_ns[slot(scale, clock->closed[scale] - 1 - (uint32_t)ago)];
}

static double floor_ago(const struct growth_series *series, const struct growth_clock *clock,
                        enum growth_scale scale, size_t ago)
{
    return (double)floor_unpack(
        series->floors[slot(scale, clock->closed[scale] - 1 - (uint32_t)ago)]);
}

uint64_t floors_oldest(const struct growth_series *series, const struct growth_clock *clock,
                       enum growth_scale scale)
{
    size_t known = floors_known(series, clock, scale);
    return known ? (uint64_t)floor_ago(series, clock, scale, known - 1) : UINT64_MAX;
}

uint16_t floors_latest(const struct growth_series *series, const struct growth_clock *clock,
                       enum growth_scale scale)
{
    if (floors_known(series, clock, scale) == 0)
        return 0;
    return series->floors[slot(scale, clock->closed[scale] - 1)];
}

bool floors_last(const struct growth_series *series, const struct growth_clock *clock,
                 enum growth_scale scale, size_t count, double *row, double *hours)
{
    if (floors_known(series, clock, scale) < count)
        return false;
    size_t at = (clock->closed[scale] - (uint32_t)count) % counts[scale];
    for (size_t i = 0; i < count; i++) {
        size_t from = offsets[scale] + at;
        row[i] = (double)floor_unpack(series->floors[from]);
        if (hours)
            hours[i] = -(double)(clock->now_ns - clock->ended_ns[from]) / (double)GROWTH_HOUR_NS;
        at = at + 1 == counts[scale] ? 0 : at + 1;
    }
    return true;
}

double floors_at(const struct growth_series *series, const struct growth_clock *clock,
                 uint64_t when_ns)
{
    for (int scale = SCALE_MIDDLE; scale <= SCALE_LONG; scale++) {
        size_t known = floors_known(series, clock, (enum growth_scale)scale);
        for (size_t ago = 0; ago < known; ago++)
            if (floors_ended(clock, (enum growth_scale)scale, ago) <= when_ns)
                return floor_ago(series, clock, (enum growth_scale)scale, ago);
    }
    size_t known = floors_known(series, clock, SCALE_MIDDLE);
    return known ? floor_ago(series, clock, SCALE_MIDDLE, known - 1) : 0;
}

double floors_highest(const struct growth_series *series, const struct growth_clock *clock,
                      uint64_t when_ns)
{
    double highest = 0;
    for (int scale = SCALE_MIDDLE; scale <= SCALE_LONG; scale++) {
        size_t known = floors_known(series, clock, (enum growth_scale)scale);
        for (size_t ago = known; ago-- > 0;) {
            if (floors_ended(clock, (enum growth_scale)scale, ago) > when_ns)
                break;
            double floor = floor_ago(series, clock, (enum growth_scale)scale, ago);
            if (floor > highest)
                highest = floor;
        }
    }
    return highest;
}
