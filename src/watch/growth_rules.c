/* growth_rules.c: when a rise of the floors is told, and as what. The one place for it.
 *
 * | told as | when                                                                               |
 * |---------|------------------------------------------------------------------------------------|
 * | RISES   | twelve SHORT or MIDDLE floors rise (tau >= 0.8), by more than noise, not in jumps  |
 * | LIMIT   | the value is above 2/3 of its limit and above all before, twelve floors rise so,   |
 * |         | and at Sen's slope it is there within the hour, and within eight times their span  |
 * | LEVEL   | one unbroken rise that does not slacken,                                           |
 * |         | - for 13/12 of a period, to 3 times the highest floor of its first hour; or        |
 * |         | - for 1/18 of one, to 6 times all floors of a period before (4 times, of two)      |
 * | OLDER   | the number of old ones rises for a whole period, in each quarter that can be cut   |
 * |         | out of it, above all before                                                        |
 * | DAILY   | five periods, at each hour higher than in the one before (seasonal tau >= 0.8), in |
 * |         | all four steps by much the same; or seven whose lowest values rise so              |
 *
 * Why these: a busy hour is over within the day, so what rises through its quiet quarter as well
 * is no load, nor a pool that grows with the highest load. A week brings one jump, or a rise of
 * three and a half days, but never four equal steps; and more work multiplies the busy hours
 * more than the quiet ones, to which a leak adds the same. What fills up slackens; while it does
 * not, time alone tells it from a leak. The test of Mann and Kendall by itself would be wrong too
 * often (Machida et al. 2013); here it only says that a rise is no noise.
 * Main entry: rules_look(). */
#include "watch/growth_series.h"
#include "watch/growth_trend.h"

#define ROW 12               /* floors of a fast rise */
#define RISES_TAU 0.8        /* by chance once in 10^4 rows of twelve */
#define GROWN_LEAST 10       /* of old ones, in a period: fewer is nothing yet */
#define LEVEL_GROWN_LEAST 30 /* fast */
#define LEVEL_EVER 3.0
#define LEVEL_SECOND 6.0 /* while one period is known */
#define LEVEL_ANEW 4.0   /* from two on */
#define PERIODS 5        /* of equal hours */
#define WEEK 7           /* of lowest values */
#define DAILY_ROW ((size_t)PERIODS * LONG_A_PERIOD)

struct seen {
    enum growth_reason reason;
    uint64_t since_ns;
    double from;
    double now;
    double per_hour;
    double tau;
};

static double hours(uint64_t ns)
{
    return (double)ns / (double)GROWTH_HOUR_NS;
}

/* More than the noise of a count that is LEVEL on average (Poisson: its root). */
static bool more_than_noise(double grown, double level, double least)
{
    return grown >= least && grown * grown >= 16 * level && grown >= 0.02 * level;
}

/* Whether one step of ROW makes so much of its growth that two would be all of it: something
 * was added, once or twice. */
static bool jumps(const double *row, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (row[i] - row[i - 1] > 0.4 * (row[count - 1] - row[0]))
            return true;
    return false;
}

/* ---- fast: twelve floors that rise ---- */

/* Whether the last ROW floors of SCALE rise steadily, and not by one jump. */
static bool row_rises(const struct growth_series *series, const struct growth_clock *clock,
                      enum growth_scale scale, struct seen *seen)
{
    double row[ROW];
    double times[ROW];
    if (!floors_last(series, clock, scale, ROW, row, times))
        return false;
    double grown = row[ROW - 1] - row[0];
    if (grown < 5 || !more_than_noise(grown, row[ROW - 1], 5))
        return false;
    if (jumps(row, ROW))
        return false;
    seen->tau = trend_tau(row, ROW);
    if (seen->tau < RISES_TAU)
        return false;
    seen->since_ns = floors_ended(clock, scale, ROW - 1);
    seen->from = row[0];
    seen->now = row[ROW - 1];
    seen->per_hour = trend_slope(row, times, ROW);
    return true;
}

static bool nears_limit(const struct growth_series *series, const struct growth_clock *clock,
                        enum growth_scale scale, struct seen *seen)
{
    if (series->limit == GROWTH_UNKNOWN || (double)series->value < (double)series->limit * 2 / 3)
        return false;
    if (!row_rises(series, clock, scale, seen) || seen->per_hour <= 0)
        return false;
    if (series->value <= floor_unpack(series->past))
        return false;
    double left = ((double)series->limit - (double)series->value) / seen->per_hour;
    seen->reason = GROWTH_LIMIT;
    return left <= 1 && left <= 8 * hours(clock->now_ns - seen->since_ns);
}

/* ---- level: one unbroken rise ---- */

static void rise_begin(struct growth_rise *rise, uint64_t now_ns, uint16_t floor)
{
    *rise = (struct growth_rise){ now_ns, now_ns, floor, floor, floor };
}

/* Follows the MIDDLE floors: a fall by a quarter, or no new height for half of its age, ends a
 * rise, and what comes is another one. */
static void rise_follow(struct growth_series *series, const struct growth_clock *clock)
{
    struct growth_rise *rise = &series->rise;
    uint16_t floor = floors_latest(series, clock, SCALE_MIDDLE);
    if (rise->since_ns == 0) {
        rise_begin(rise, clock->now_ns, floor);
        return;
    }
    uint64_t hour_ns = clock->period_ns / 24;
    uint64_t patience_ns = (rise->high_ns - rise->since_ns) / 2;
    if (patience_ns < hour_ns)
        patience_ns = hour_ns;
    double fallen = 0.75 * (double)floor_unpack(rise->high);
    if (floor > rise->high) {
        rise->high = floor;
        rise->high_ns = clock->now_ns;
    } else if ((double)floor_unpack(floor) < fallen ||
               clock->now_ns - rise->high_ns > patience_ns) {
        rise_begin(rise, clock->now_ns, floor);
    }
    if (clock->now_ns - rise->since_ns <= hour_ns && floor > rise->hour)
        rise->hour = floor;
}

/* Whether each quarter of the rise but the first has its part, and the last one no small one. */
static bool goes_on(const struct growth_series *series, const struct growth_clock *clock,
                    uint64_t since_ns, double from, double now)
{
    uint64_t age_ns = clock->now_ns - since_ns;
    double quarter = (now - from) / 4;
    double half = floors_at(series, clock, since_ns + age_ns / 2);
    double late = floors_at(series, clock, since_ns + age_ns / 4 * 3);
    double early = floors_at(series, clock, since_ns + age_ns / 4);
    return half - early >= 0.3 * quarter && late - half >= 0.3 * quarter &&
           now - late >= 0.6 * quarter;
}

static bool far_above(const struct growth_series *series, const struct growth_clock *clock,
                      struct seen *seen)
{
    const struct growth_rise *rise = &series->rise;
    if (rise->high_ns != clock->now_ns) /* not rising just now */
        return false;
    uint64_t age_ns = clock->now_ns - rise->since_ns;
    double now = (double)floor_unpack(rise->high);
    double from = (double)floor_unpack(rise->from);
    if (age_ns < clock->period_ns / 18 || now - from < LEVEL_GROWN_LEAST)
        return false;
    uint64_t known_ns = rise->since_ns - series->known_ns;
    double before = floors_highest(series, clock, rise->since_ns);
    double times = known_ns >= 2 * clock->period_ns ? LEVEL_ANEW : LEVEL_SECOND;
    bool anew = known_ns >= clock->period_ns && now >= times * before;
    bool ever = age_ns >= clock->period_ns / 12 * 13 && now >= 1.5 * before &&
                now >= LEVEL_EVER * (double)floor_unpack(rise->hour);
    if (!(anew || ever) || !goes_on(series, clock, rise->since_ns, from, now))
        return false;
    size_t count = (size_t)(age_ns / clock->width_ns[SCALE_MIDDLE]) + 1;
    if (count > ROW)
        count = ROW;
    double row[ROW];
    double times_of[ROW];
    if (count < 4 || !floors_last(series, clock, SCALE_MIDDLE, count, row, times_of) ||
        jumps(row, count))
        return false;
    *seen = (struct seen){
        GROWTH_LEVEL,         rise->since_ns, from, now, trend_slope(row, times_of, count),
        trend_tau(row, count)
    };
    return seen->tau >= 0.7;
}

/* ---- older: a period in which the old ones become more all the time ---- */

static bool gets_older(const struct growth_series *series, const struct growth_clock *clock,
                       struct seen *seen)
{
    enum { last = LONG_A_PERIOD + 1, quarter = LONG_A_PERIOD / 4 };
    double row[last + 1];
    double times[last + 1];
    /* The first bucket is a beginning, and none of the load's doing. */
    if (!series->has_old || floors_known(series, clock, SCALE_LONG) < last + 2 ||
        !floors_last(series, clock, SCALE_LONG, last + 1, row, times))
        return false;
    double grown = row[last] - row[0];
    if (grown < GROWN_LEAST || grown < 0.02 * row[last])
        return false;
    for (size_t i = 0; i + quarter <= last; i++)
        if (row[i + quarter] - row[i] < 0.2 * grown / 4)
            return false;
    seen->since_ns = floors_ended(clock, SCALE_LONG, last);
    if (row[last] <= floors_highest(series, clock, seen->since_ns))
        return false;
    seen->tau = trend_tau(row, last + 1);
    seen->reason = GROWTH_OLDER;
    seen->from = row[0];
    seen->now = row[last];
    seen->per_hour = trend_slope(row, times, last + 1);
    return seen->tau >= 0.85;
}

/* ---- daily: each period above the one before ---- */

/* The differences of a period from the one before, hour by hour: their lower quartile and median.
 */
static void step_of(const double *row, double *low, double *middle)
{
    double differences[LONG_A_PERIOD];
    for (size_t i = 0; i < LONG_A_PERIOD; i++)
        differences[i] = row[LONG_A_PERIOD + i] - row[i];
    *middle = trend_median(differences, LONG_A_PERIOD);
    *low = trend_pick(differences, LONG_A_PERIOD, LONG_A_PERIOD / 4);
}

static double lowest_of(const double *row, size_t count)
{
    double lowest = row[0];
    for (size_t i = 1; i < count; i++)
        lowest = row[i] < lowest ? row[i] : lowest;
    return lowest;
}

/* Whether COUNT steps are all up and much the same: each at least PART of the mean. */
static bool even(const double *steps, size_t count, double grown, double part)
{
    for (size_t i = 0; i < count; i++)
        if (steps[i] < part * grown / (double)count)
            return false;
    return true;
}

static double highest_of(const double *row, size_t count)
{
    double highest = row[0];
    for (size_t i = 1; i < count; i++)
        highest = row[i] > highest ? row[i] : highest;
    return highest;
}

/* A leak adds to the busy hours what it adds to the quiet ones. More and more work multiplies
 * both, so the busy ones grow by more. */
static bool adds_evenly(const double *row, size_t count)
{
    const double *end = row + count - LONG_A_PERIOD;
    double high_grown = highest_of(end, LONG_A_PERIOD) - highest_of(row, LONG_A_PERIOD);
    double low_grown = lowest_of(end, LONG_A_PERIOD) - lowest_of(row, LONG_A_PERIOD);
    return high_grown <= 1.3 * low_grown;
}

static bool higher_each_hour(const double *row)
{
    double low[PERIODS - 1];
    double middle;
    double grown = 0;
    for (size_t i = 0; i + 1 < PERIODS; i++) {
        step_of(row + i * LONG_A_PERIOD, &low[i], &middle);
        grown += middle;
    }
    double from = lowest_of(row, LONG_A_PERIOD);
    return more_than_noise(grown, from, GROWN_LEAST) && grown >= 0.1 * from &&
           even(low, PERIODS - 1, grown, 0.4) &&
           trend_tau_seasonal(row, DAILY_ROW, LONG_A_PERIOD) >= RISES_TAU;
}

/* For loads that do not keep to the day, such as a cache that is flushed when it is full. */
static bool lowest_rises(const double *row)
{
    double lowest[WEEK];
    double steps[WEEK - 1];
    for (size_t i = 0; i < WEEK; i++) {
        lowest[i] = lowest_of(row + i * LONG_A_PERIOD, LONG_A_PERIOD);
        if (i > 0)
            steps[i - 1] = lowest[i] - lowest[i - 1];
    }
    double grown = lowest[WEEK - 1] - lowest[0];
    return more_than_noise(grown, lowest[0], GROWN_LEAST) && grown >= 0.2 * lowest[0] &&
           even(steps, WEEK - 1, grown, 0.5);
}

static bool higher_each_day(const struct growth_series *series, const struct growth_clock *clock,
                            struct seen *seen)
{
    double row[LONG_COUNT];
    size_t count = LONG_COUNT;
    bool higher =
        floors_last(series, clock, SCALE_LONG, LONG_COUNT, row, NULL) && lowest_rises(row);
    if (!higher) {
        count = DAILY_ROW;
        if (!floors_last(series, clock, SCALE_LONG, count, row, NULL) || !higher_each_hour(row))
            return false;
    }
    double a_period = hours(clock->period_ns);
    if (!adds_evenly(row, count))
        return false;
    *seen = (struct seen){ GROWTH_DAILY,
                           floors_ended(clock, SCALE_LONG, count - 1),
                           lowest_of(row, LONG_A_PERIOD),
                           lowest_of(row + count - LONG_A_PERIOD, LONG_A_PERIOD),
                           trend_slope_seasonal(row, count, LONG_A_PERIOD) / a_period,
                           trend_tau_seasonal(row, count, LONG_A_PERIOD) };
    return true;
}

/* ---- what is told ---- */

/* The floor that a told growth is measured by. */
static double floor_of(const struct growth_series *series, const struct growth_clock *clock,
                       enum growth_reason reason)
{
    enum growth_scale scale = reason == GROWTH_LIMIT ? SCALE_QUICK : SCALE_MIDDLE;
    return (double)floor_unpack(floors_latest(series, clock, scale));
}

/* How long an alarm may stand still before it has ended. */
static uint64_t patience(const struct growth_told *told, const struct growth_clock *clock)
{
    uint64_t most_ns = clock->period_ns / 12 * 13;
    if (told->reason == GROWTH_DAILY)
        return 2 * most_ns;
    uint64_t part_ns = (told->high_ns - told->since_ns) / 2;
    uint64_t least_ns = clock->period_ns / 24;
    if (part_ns < least_ns)
        part_ns = least_ns;
    return part_ns < most_ns ? part_ns : most_ns;
}

static void go_on(struct growth_series *series, const struct growth_clock *clock)
{
    struct growth_told *told = &series->told;
    double now = floor_of(series, clock, told->reason);
    told->now = (uint64_t)now;
    if (now > (double)told->high) {
        told->high = (uint64_t)now;
        told->high_ns = clock->now_ns;
    }
    double grown = now - (double)told->from;
    if (grown >= 2 * (double)told->grown) {
        told->grown = (uint64_t)grown;
        told->told++;
        told->is_new = true;
    }
    bool gone = grown < (double)(told->high - told->from) / 2;
    if (told->reason == GROWTH_DAILY)
        gone = now < (double)told->from;
    if (gone || clock->now_ns - told->high_ns > patience(told, clock)) {
        told->level = GROWTH_STOPPED;
        told->is_new = true;
    }
}

static void alarm_begin(struct growth_series *series, const struct growth_clock *clock,
                        const struct seen *seen)
{
    struct growth_told *told = &series->told;
    told->since_ns = seen->since_ns;
    told->from = (uint64_t)seen->from;
    told->now = told->high = (uint64_t)seen->now;
    told->high_ns = clock->now_ns;
    told->grown = told->high > told->from ? told->high - told->from : 1;
    told->reason = (uint8_t)seen->reason;
    series->rising = 0;
    told->level = GROWTH_ALARM;
    told->told = 1;
    told->is_new = true;
}

static void measure(struct growth_told *told, const struct seen *seen)
{
    told->per_hour = (float)seen->per_hour;
    told->steadiness = (uint8_t)(seen->tau < 0 ? 0 : seen->tau * 100 + 0.5);
}

/* RISES is what is seen of it while there is no alarm. */
static void possible(struct growth_series *series, enum growth_scale scale, bool rises,
                     const struct seen *seen)
{
    struct growth_told *told = &series->told;
    series->rising = (uint8_t)((series->rising & ~(1U << scale)) | ((unsigned)rises << scale));
    if (series->rising == 0)
        told->level = LEVEL_NONE;
    if (!rises)
        return;
    if (told->level != GROWTH_POSSIBLE) {
        told->since_ns = seen->since_ns;
        told->from = (uint64_t)seen->from;
    }
    told->now = (uint64_t)seen->now;
    told->level = GROWTH_POSSIBLE;
    told->reason = GROWTH_RISES;
    told->told = 0;
    measure(told, seen);
}

/* Looks for what SCALE's floors can tell. An alarm that is on is measured by its own rule alone. */
static bool look_at(struct growth_series *series, const struct growth_clock *clock,
                    enum growth_scale scale, struct seen *seen)
{
    bool none = series->told.level != GROWTH_ALARM;
    enum growth_reason reason = (enum growth_reason)series->told.reason;
    if (scale == SCALE_LONG)
        return ((none || reason == GROWTH_OLDER) && gets_older(series, clock, seen)) ||
               ((none || reason == GROWTH_DAILY) && higher_each_day(series, clock, seen));
    if ((none || reason == GROWTH_LIMIT) && nears_limit(series, clock, scale, seen))
        return true;
    if (scale != SCALE_MIDDLE)
        return false;
    rise_follow(series, clock);
    return (none || reason == GROWTH_LEVEL) && far_above(series, clock, seen);
}

void rules_look(struct growth_series *series, const struct growth_clock *clock,
                unsigned scales_closed)
{
    struct growth_told *told = &series->told;
    struct seen seen = { .reason = GROWTH_RISES };
    bool alarm = false;
    told->is_new = false;
    if (told->level == GROWTH_STOPPED)
        told->level = LEVEL_NONE;
    for (int s = 0; s < SCALES; s++) {
        enum growth_scale scale = (enum growth_scale)s;
        if (!(scales_closed & (1U << scale)))
            continue;
        struct seen here = { .reason = GROWTH_RISES };
        bool sure = look_at(series, clock, scale, &here);
        if (sure && !alarm)
            seen = here;
        alarm |= sure;
        if (told->level == GROWTH_ALARM || scale == SCALE_QUICK || scale == SCALE_LONG)
            continue;
        here = (struct seen){ .reason = GROWTH_RISES };
        possible(series, scale, row_rises(series, clock, scale, &here), &here);
    }
    if (alarm)
        measure(told, &seen);
    if (alarm && told->level != GROWTH_ALARM)
        alarm_begin(series, clock, &seen);
    else if (told->level == GROWTH_ALARM && scales_closed)
        go_on(series, clock);
}
