/* test_growth_loads.c proves that the growth detector tells leaks from loads: days of made-up
 * services, thousands of them, with seeds that never change.
 *
 * A service is a load (what is busy, and pools and caches that stay) and, if planted, a leak of one
 * in a hundred operations. Each is watched twice: by counts alone, and with the number of those
 * older than ten minutes known as well. Without a leak there must be no alarm in any run; with one
 * there must be one in each, and how soon is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "watch/growth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR 3600.0
#define DAY (24 * HOUR)

/* ---- chance ---- */

static uint64_t state;

static void seed(uint64_t number)
{
    state = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static double chance(void) /* 0 to 1 */
{
    state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static double between(double low, double high)
{
    return low + (high - low) * chance();
}

/* Evenly over orders of magnitude. */
static double magnitude(double low, double high)
{
    return low * pow(high / low, chance());
}

static double normal(void)
{
    return sqrt(-2 * log(1 - chance())) * cos(6.283185307 * chance());
}

static double poisson(double mean)
{
    if (mean > 30)
        return fmax(0, floor(mean + sqrt(mean) * normal() + 0.5));
    double limit = exp(-mean);
    double product = chance();
    double count = 0;
    for (; product > limit; count++)
        product *= chance();
    return count;
}

/* ---- loads ---- */

enum load {
    CONSTANT,
    NOISE,
    BURSTS,
    HEAVY_TAILS,
    SLOW_NOISE,
    SAW_TOOTH,
    STEP,
    TWO_STEPS,
    WARM_UP,
    STANDBY,
    DAILY,
    LONG_SESSIONS,
    WEEKLY,
    POOL_OF_PEAK,
    POOL_OF_WEEK,
    SAW_ON_WAVE,
    MORE_WORK,
    LOADS
};

static const char *const names[LOADS] = {
    [CONSTANT] = "constant",
    [NOISE] = "noise",
    [BURSTS] = "bursts",
    [HEAVY_TAILS] = "heavy tails",
    [SLOW_NOISE] = "slow noise",
    [SAW_TOOTH] = "saw-tooth",
    [STEP] = "step",
    [TWO_STEPS] = "two steps",
    [WARM_UP] = "warm-up",
    [STANDBY] = "standby, then warm-up",
    [DAILY] = "daily wave",
    [LONG_SESSIONS] = "daily, long sessions",
    [WEEKLY] = "weekly wave",
    [POOL_OF_PEAK] = "pool of the peak",
    [POOL_OF_WEEK] = "pool of the week's peak",
    [SAW_ON_WAVE] = "saw-tooth on a wave",
    [MORE_WORK] = "more work each day",
};

#define DELAY_MAX 1024

struct service {
    enum load load;
    double tick;  /* seconds */
    double level; /* of what is busy, on average */
    double phase, sharp, weekend, weekly_phase, amplitude, more;
    bool weekly_smooth;
    double period, peak, left, next, kept_flush; /* saw-tooth */
    double step_at[2], step[2], step_lasts;
    double fill_from, fill_lasts, fill;
    bool fill_slackens;
    double burst_until, burst;
    double slow, slow_lasts;
    double pool, sessions, session_lasts;
    /* What stays: as it was ten minutes ago, unless it was flushed since. */
    double delay[DELAY_MAX];
    double leak_delay[DELAY_MAX];
    size_t delay_length, at;
};

static void service_begin(struct service *s, enum load load, double tick)
{
    memset(s, 0, sizeof *s);
    s->load = load;
    s->tick = tick;
    s->level = magnitude(5, 1000);
    s->phase = chance();
    s->sharp = between(0.7, 2.5);
    s->amplitude = between(3, 5);
    s->weekend = between(0.4, 0.8);
    s->weekly_phase = between(0, 7);
    s->period = magnitude(fmax(60, 4 * tick), DAY / 1.2);
    s->peak = magnitude(20, 5000);
    s->left = chance() < 0.5 ? 0 : between(0, 0.5);
    for (int i = 0; i < 2; i++) {
        s->step_at[i] = between(0, 7 * DAY);
        s->step[i] = s->level * magnitude(0.2, 10);
    }
    s->step_lasts = between(0, 300);
    s->fill_slackens = chance() < 0.5;
    s->fill_lasts = s->fill_slackens ? magnitude(60, 2 * HOUR) : magnitude(60, 6 * HOUR);
    s->fill_from = load == STANDBY ? between(0, 20 * HOUR) : 0;
    s->fill = magnitude(20, 20000);
    s->slow_lasts = magnitude(0.5 * HOUR, 6 * HOUR);
    s->session_lasts = magnitude(0.5 * HOUR, 4 * HOUR);
    s->more = between(0, 0.06);
    s->weekly_smooth = chance() < 0.5;
    s->delay_length = (size_t)ceil(600 / tick);
}

/* 1 to amplitude, over a day. */
static double wave(const struct service *s, double t)
{
    double up = 0.5 - 0.5 * cos(6.283185307 * (t / DAY + s->phase));
    return 1 + (s->amplitude - 1) * pow(up, s->sharp);
}

/* Weekend to 1: two days of the seven less, or all of them in a wave. */
static double of_week(const struct service *s, double days)
{
    double day = fmod(days + s->phase + s->weekly_phase, 7);
    if (s->weekly_smooth)
        return s->weekend + (1 - s->weekend) * (0.5 - 0.5 * cos(6.283185307 * day / 7));
    return day < 2 ? s->weekend : 1;
}

/* What is busy at T, on average. */
static double busy(struct service *s, double t)
{
    double tick = s->tick;
    switch (s->load) {
    case BURSTS:
        if (t >= s->burst_until) {
            s->burst = 1;
            if (chance() < tick / magnitude(0.3 * HOUR, 12 * HOUR)) {
                s->burst = magnitude(2, 20);
                s->burst_until = t + magnitude(tick, 2 * HOUR);
            }
        }
        return s->level * s->burst;
    case HEAVY_TAILS: return s->level * fmin(1000, 0.5 / pow(1 - chance(), 1 / 1.5));
    case SLOW_NOISE:
        s->slow +=
            -s->slow * tick / s->slow_lasts + 0.35 * normal() * sqrt(2 * tick / s->slow_lasts);
        return s->level * exp(s->slow);
    case STANDBY: return t < s->fill_from ? 0 : s->level;
    case DAILY:
    case LONG_SESSIONS:
    case POOL_OF_PEAK:
    case SAW_ON_WAVE: return s->level * wave(s, t) / 3;
    case WEEKLY:
    case POOL_OF_WEEK: return s->level * wave(s, t) / 3 * of_week(s, t / DAY);
    case MORE_WORK: return s->level * wave(s, t) / 3 * (1 + s->more * t / DAY);
    default: return s->level;
    }
}

/* What stays at T: pools, caches. FLUSHED: all of it is new. */
static double staying(struct service *s, double t, double in_use, bool *flushed)
{
    double done = s->fill_lasts > 0 ? (t - s->fill_from) / s->fill_lasts : 1;
    switch (s->load) {
    case SAW_TOOTH:
    case SAW_ON_WAVE:
        if (t >= s->next) {
            *flushed = s->next > 0;
            s->kept_flush = s->next > 0 ? t : -s->period * chance();
            s->next = s->kept_flush + s->period * between(0.8, 1.2);
        }
        return s->peak * (s->left + (1 - s->left) * (t - s->kept_flush) / s->period);
    case STEP:
    case TWO_STEPS: {
        double all = 0;
        for (int i = 0; i < (s->load == STEP ? 1 : 2); i++)
            if (t > s->step_at[i])
                all += s->step[i] * fmin(1, (t - s->step_at[i]) / (s->step_lasts + 1));
        return all;
    }
    case WARM_UP:
    case STANDBY:
        if (done <= 0)
            return 0;
        return s->fill * (s->fill_slackens ? 1 - exp(-done) : fmin(1, done));
    case POOL_OF_PEAK: s->pool = fmax(s->pool, in_use); return s->pool;
    default: return 0;
    }
}

struct leak {
    double per_second; /* operations; one in a hundred leaks */
    double begins;
    double speeds_up; /* seconds in which its pace doubles, in a line; 0: even */
    double lost_at;   /* once, all of it is gone: a pool is torn down; 0: never */
    double with_load; /* its operations follow the load, 1; or not, 0 */
};

struct watching {
    bool with_old;
    double days;
    double limit;      /* 0: none */
    double days_more;  /* after the first alarm: is it told again, and when? */
    double level_most; /* of the load; 0: as it comes */
};

struct watched {
    bool alarm;
    enum growth_reason reason;
    double at;     /* seconds after the leak began */
    double leaked; /* until then */
    double value;
    unsigned told;   /* in all */
    unsigned begins; /* alarms that were not the next of one that went on */
    double from, to; /* growth at the first and the last */
    double most;     /* the highest value */
};

static double leak_pace(const struct leak *leak, struct service *s, double t, double in_use)
{
    if (leak->per_second <= 0 || t < leak->begins)
        return 0;
    double pace = leak->per_second / 100;
    if (leak->speeds_up > 0)
        pace *= 1 + (t - leak->begins) / leak->speeds_up;
    if (leak->with_load > 0)
        pace *= in_use / s->level;
    return pace;
}

/* How many of what stays and of what leaked were there ten minutes ago. */
static double grown_old(struct service *s, double stays, double leaked, bool flushed, bool lost)
{
    size_t slot = s->at++ % s->delay_length;
    bool long_enough = s->at > s->delay_length;
    double old = long_enough ? fmin(s->delay[slot], stays) + fmin(s->leak_delay[slot], leaked) : 0;
    for (size_t i = 0; flushed && i < s->delay_length; i++)
        s->delay[i] = fmin(s->delay[i], stays);
    if (lost)
        memset(s->leak_delay, 0, sizeof s->leak_delay);
    s->delay[slot] = stays;
    s->leak_delay[slot] = leaked;
    return old;
}

static void note(struct watched *watched, const struct growth_finding *finding, double at,
                 double leaked)
{
    if (!finding->is_new || finding->level != GROWTH_ALARM)
        return;
    if (!watched->alarm) {
        watched->alarm = true;
        watched->reason = finding->reason;
        watched->at = at;
        watched->leaked = leaked;
        watched->value = (double)finding->value;
        watched->from = (double)(finding->now - finding->from);
    }
    watched->to = (double)(finding->now - finding->from);
    watched->told++;
    watched->begins += finding->told == 1;
}

/* Watches a service for as many days, or until the first alarm and some days more. */
static struct watched watch(struct service *s, const struct leak *leak,
                            const struct watching *watching)
{
    struct growth_options options = { .size = sizeof options, .series_max = 2 };
    struct growth *growth = growth_new(&options);
    assert_non_null(growth);
    struct watched watched = { 0 };
    double leaked = 0;
    double leaked_all = 0;
    bool lost = false;
    double first = between(1, 1e6);
    double end = watching->days * DAY;
    for (double t = 0; t < end; t += s->tick) {
        double mean = busy(s, t);
        if (s->load == LONG_SESSIONS) {
            s->sessions += (mean - s->sessions) * fmin(1, s->tick / s->session_lasts);
            mean = s->sessions;
        }
        double in_use = s->load == CONSTANT ? s->level : poisson(mean);
        bool flushed = false;
        double stays = floor(staying(s, t, in_use, &flushed));
        double more = poisson(leak_pace(leak, s, t, mean) * s->tick);
        bool lost_now = leak->lost_at > 0 && t > leak->lost_at && !lost;
        lost |= lost_now;
        leaked = lost_now ? 0 : leaked + more;
        leaked_all += more;
        double old = grown_old(s, stays, leaked, flushed, lost_now);
        bool pooled = s->load == POOL_OF_PEAK || s->load == POOL_OF_WEEK;
        double value = stays + leaked + (pooled ? 0 : in_use);
        if (s->load == LONG_SESSIONS)
            old += poisson(mean * exp(-600 / s->session_lasts));
        struct growth_sample sample = { 1, 0, (uint64_t)value,
                                        watching->with_old ? (uint64_t)old : GROWTH_UNKNOWN,
                                        watching->limit > 0 ? (uint64_t)watching->limit
                                                            : GROWTH_UNKNOWN };
        growth_begin_tick(growth, (uint64_t)((first + t + between(0, 0.02) * s->tick) * 1e9));
        growth_value(growth, &sample);
        growth_end_tick(growth);
        watched.most = fmax(watched.most, value);
        struct growth_finding finding;
        bool was_alarm = watched.alarm;
        if (growth_findings(growth, &finding, 1))
            note(&watched, &finding, t - leak->begins, leaked_all);
        if (watched.alarm && !was_alarm)
            end = fmin(end, t + watching->days_more * DAY);
    }
    growth_free(growth);
    return watched;
}

/* ---- no leak, no alarm ---- */

static int runs_of(int fewest)
{
    const char *more = getenv("SNAG_GROWTH_RUNS"); /* times as many */
    return more && atoi(more) > 0 ? fewest * atoi(more) : fewest;
}

/* Other services than ever before: SNAG_GROWTH_SEED, a number. */
static uint64_t seeds(void)
{
    const char *text = getenv("SNAG_GROWTH_SEED");
    return text ? strtoull(text, NULL, 10) * 1000000007 : 0;
}

static const struct leak no_leak;

static void say_false_alarm(const struct watched *watched, enum load load, int run, int with_old)
{
    print_message("  false alarm: %s, run %d, %s: %s after %.1f h at %.0f\n", names[load], run,
                  with_old ? "with ages" : "by counts", growth_reason_word(watched->reason),
                  watched->at / HOUR, watched->value);
}

static struct watched watch_load(enum load load, int run, int with_old, double limit)
{
    static const double ticks[] = { 60, 60, 300, 3600, 10 };
    static const double days[] = { 10, 10, 21, 60, 3 };
    struct service service;
    seed(seeds() + (uint64_t)load * 1000003 + (uint64_t)run);
    service_begin(&service, load, ticks[run % 5]);
    struct watching watching = { .with_old = with_old, .days = days[run % 5], .limit = limit };
    return watch(&service, &no_leak, &watching);
}

static void loads_alone_alarm_nobody(void **unused)
{
    (void)unused;
    int alarms = 0;
    int all = 0;
    printf("%-24s %8s %14s %14s\n", "no leak", "runs", "by counts", "with ages");
    for (int load = 0; load < LOADS; load++) {
        int found[2] = { 0, 0 };
        int runs = runs_of(100);
        for (int run = 0; run < runs * 2; run++) {
            struct watched watched = watch_load((enum load)load, run / 2, run % 2, 0);
            found[run % 2] += watched.alarm;
            if (watched.alarm)
                say_false_alarm(&watched, (enum load)load, run / 2, run % 2);
        }
        printf("%-24s %8d %14d %14d\n", names[load], runs, found[0], found[1]);
        alarms += found[0] + found[1];
        all += 2 * runs;
    }
    printf("%d runs, %d alarms\n\n", all, alarms);
    assert_int_equal(alarms, 0);
}

/* A limit that the load comes near, to 64 per cent, and does not reach. */
static void loads_below_their_limit_alarm_nobody(void **unused)
{
    (void)unused;
    int alarms = 0;
    for (int load = 0; load < LOADS; load++) {
        for (int run = 0; run < runs_of(20) * 2; run++) {
            double most = watch_load((enum load)load, run / 2, run % 2, 0).most;
            struct watched watched = watch_load((enum load)load, run / 2, run % 2, most / 0.64);
            if (watched.alarm)
                say_false_alarm(&watched, (enum load)load, run / 2, run % 2);
            alarms += watched.alarm;
        }
    }
    assert_int_equal(alarms, 0);
}

/* ---- a leak, an alarm ---- */

#define RUNS_MAX 20000 /* of all loads together */

struct found {
    double hours[RUNS_MAX];
    double leaked[RUNS_MAX];
    int count;
    int runs;
    int reasons[GROWTH_REASONS];
    int again; /* runs in which it was told anew, though it had never ended */
    int too_often;
};

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static void count_in(struct found *found, const struct watched *watched)
{
    found->runs++;
    if (!watched->alarm)
        return;
    found->hours[found->count] = watched->at / HOUR;
    found->leaked[found->count++] = watched->leaked;
    found->reasons[watched->reason]++;
    found->again += watched->begins > 1;
    double doublings = floor(log2(watched->to / fmax(1, watched->from)) + 1e-9);
    found->too_often += watched->begins == 1 && watched->told > 1 + doublings;
}

static void say_found(struct found *found)
{
    size_t count = (size_t)found->count;
    printf(" %4d/%-4d", found->count, found->runs);
    if (count == 0)
        return;
    qsort(found->hours, count, sizeof found->hours[0], by_size);
    qsort(found->leaked, count, sizeof found->leaked[0], by_size);
    printf(" %6.1f %6.1f h %8.0f %8.0f ", found->hours[count / 2], found->hours[count - 1],
           found->leaked[count / 2], found->leaked[count - 1]);
    for (int reason = 0; reason < GROWTH_REASONS; reason++)
        if (found->reasons[reason] * 4 > found->runs)
            printf("%s ", growth_reason_word((enum growth_reason)reason));
}

struct totals {
    int missed, again, too_often, runs;
};

static struct found all_loads[2]; /* by counts, with ages */

static void add_all(struct found *all, const struct found *found)
{
    for (int i = 0; i < found->count && all->count < RUNS_MAX; i++) {
        all->hours[all->count] = found->hours[i];
        all->leaked[all->count++] = found->leaked[i];
    }
    for (int reason = 0; reason < GROWTH_REASONS; reason++)
        all->reasons[reason] += found->reasons[reason];
    all->runs += found->runs;
}

static void say_all(void)
{
    printf("%-24s", "all of them");
    say_found(&all_loads[0]);
    printf("|");
    say_found(&all_loads[1]);
    printf("\n\n");
    fflush(stdout);
    memset(all_loads, 0, sizeof all_loads);
}

static void planted(enum load load, const struct leak *leak, const struct watching *watching,
                    int runs, struct totals *totals)
{
    static struct found found[2];
    memset(found, 0, sizeof found);
    for (int run = 0; run < 2 * (runs < RUNS_MAX / LOADS ? runs : RUNS_MAX / LOADS); run++) {
        seed(seeds() + UINT64_C(77) + (uint64_t)load * 1000003 + (uint64_t)(run / 2));
        struct service service;
        service_begin(&service, load, watching->limit > 0 ? 10 : 60);
        if (watching->level_most > 0)
            service.level = fmin(service.level, watching->level_most);
        struct watching this = *watching;
        this.with_old = run % 2;
        struct leak planted = *leak;
        if (planted.lost_at > 0)
            planted.lost_at *= between(0.1, 1);
        struct watched watched = watch(&service, &planted, &this);
        count_in(&found[run % 2], &watched);
    }
    printf("%-24s", names[load]);
    for (int i = 0; i < 2; i++) {
        printf("%s", i ? "|" : "");
        say_found(&found[i]);
        add_all(&all_loads[i], &found[i]);
        totals->missed += found[i].runs - found[i].count;
        totals->again += found[i].again;
        totals->too_often += found[i].too_often;
        totals->runs += found[i].runs;
    }
    printf("\n");
}

static void each_load_with(const char *title, struct leak leak, struct watching watching, int runs,
                           struct totals *totals)
{
    printf("%s\n%-24s by counts: found, time (median, worst), leaked until then (same); "
           "| with ages\n",
           title, "");
    for (int load = 0; load < LOADS; load++)
        planted((enum load)load, &leak, &watching, runs, totals);
    say_all();
}

static void say_totals(const struct totals *totals)
{
    printf("%d runs, %d missed; told anew in %d, more often than at doublings in %d\n\n",
           totals->runs, totals->missed, totals->again, totals->too_often);
    fflush(stdout);
    assert_int_equal(totals->missed, 0);
    assert_int_equal(totals->too_often, 0);
}

static void planted_leaks_are_found(void **unused)
{
    (void)unused;
    struct totals totals = { 0 };
    struct watching watching = { .days = 25 };
    for (double pace = 1; pace <= 100; pace *= 10) {
        for (int later = 0; later < 2; later++) {
            char title[100];
            snprintf(title, sizeof title, "1 of 100 leaks at %.0f a second, %s", pace,
                     later ? "after two days without" : "from the start");
            struct leak leak = { .per_second = pace, .begins = later ? 2 * DAY : 0 };
            each_load_with(title, leak, watching, runs_of(10), &totals);
        }
    }
    say_totals(&totals);
}

static void other_leaks_are_found(void **unused)
{
    (void)unused;
    struct totals totals = { 0 };
    struct watching watching = { .days = 40 };
    int runs = runs_of(5);
    struct leak with_load = { .per_second = 10, .with_load = 1 };
    each_load_with("1 of 100 leaks at 10 a second as the load goes", with_load, watching, runs,
                   &totals);
    struct leak speeds_up = { .per_second = 1, .begins = DAY, .speeds_up = 6 * HOUR };
    each_load_with("1 of 100 leaks at 1 a second, twice as many after six hours", speeds_up,
                   watching, runs, &totals);
    struct leak lost = { .per_second = 10, .lost_at = 20 * HOUR };
    each_load_with("1 of 100 leaks at 10 a second; all are gone once, within a day", lost, watching,
                   runs, &totals);
    say_totals(&totals);
}

static void slow_leaks_are_found(void **unused)
{
    (void)unused;
    struct totals totals = { 0 };
    /* By counts it must be a tenth of what is there, in five days. */
    struct watching watching = { .days = 90, .level_most = 300 };
    static const enum load steady[] = { CONSTANT, NOISE, DAILY, WEEKLY };
    struct leak slow = { .per_second = 100 / HOUR };
    printf("1 leaks an hour\n");
    for (size_t i = 0; i < sizeof steady / sizeof steady[0]; i++)
        planted(steady[i], &slow, &watching, runs_of(5), &totals);
    say_all();
    say_totals(&totals);
}

/* By 80 per cent of the limit at the latest there must be an alarm, and time left to act. */
static void leaks_near_a_limit_are_found_in_time(void **unused)
{
    (void)unused;
    struct totals totals = { 0 };
    struct watching watching = { .days = 3, .limit = 4096 };
    struct leak fast = { .per_second = 100 };
    printf("1 of 100 leaks at 100 a second, from the start, limit 4096\n");
    static const enum load small[] = { CONSTANT, NOISE, STEP, DAILY, WEEKLY, POOL_OF_PEAK };
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        planted(small[i], &fast, &watching, runs_of(10), &totals);
    say_all();
    say_totals(&totals);
}

static void alarms_come_once_and_at_doublings(void **unused)
{
    (void)unused;
    struct totals totals = { 0 };
    struct watching watching = { .days = 12, .days_more = 8 };
    struct leak leak = { .per_second = 10, .begins = 2 * DAY };
    each_load_with("1 of 100 leaks at 10 a second, watched on for a week", leak, watching,
                   runs_of(5), &totals);
    say_totals(&totals);
    assert_true(totals.again * 50 <= totals.runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_alone_alarm_nobody),
        cmocka_unit_test(loads_below_their_limit_alarm_nobody),
        cmocka_unit_test(planted_leaks_are_found),
        cmocka_unit_test(other_leaks_are_found),
        cmocka_unit_test(slow_leaks_are_found),
        cmocka_unit_test(leaks_near_a_limit_are_found_in_time),
        cmocka_unit_test(alarms_come_once_and_at_doublings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
