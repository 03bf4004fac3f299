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

#define SECOND UINT64_C(1000000000)
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
    SAW_ON_WAVE,
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
    [SAW_ON_WAVE] = "saw-tooth on a wave",
};

#define DELAY_MAX 1024

struct service {
    enum load load;
    double tick;  /* seconds */
    double level; /* of what is busy, on average */
    double phase, sharp, weekend, weekly_phase, amplitude;
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
    s->delay_length = (size_t)ceil(600 / tick);
}

/* 1 to amplitude, over a day. */
static double wave(const struct service *s, double t)
{
    double up = 0.5 - 0.5 * cos(6.283185307 * (t / DAY + s->phase));
    return 1 + (s->amplitude - 1) * pow(up, s->sharp);
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
    case WEEKLY: {
        double day = fmod(t / DAY + s->phase + s->weekly_phase, 7);
        return s->level * wave(s, t) / 3 * (day < 2 ? s->weekend : 1);
    }
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

struct watched {
    bool alarm;
    double at; /* seconds after the leak began */
    double leaked;
    struct growth_finding finding;
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

/* Watches a service for DAYS, or until the first alarm (after the leak began, where there is one).
 */
static struct watched watch(struct service *s, const struct leak *leak, bool with_old, double days)
{
    struct growth_options options = { .size = sizeof options, .series_max = 2 };
    struct growth *growth = growth_new(&options);
    struct watched watched = { false, 0, 0, { 0 } };
    double leaked = 0;
    double leaked_all = 0;
    bool lost = false;
    double first = between(1, 1e6);
    for (double t = 0; t < days * DAY && !watched.alarm; t += s->tick) {
        double mean = busy(s, t);
        if (s->load == LONG_SESSIONS) {
            s->sessions =
                t == 0 ? 0
                       : s->sessions + (mean - s->sessions) * fmin(1, s->tick / s->session_lasts);
            mean = s->sessions;
        }
        double in_use = s->load == CONSTANT ? s->level : poisson(mean);
        bool flushed = false;
        bool lost_now = false;
        double stays = floor(staying(s, t, in_use, &flushed));
        double more = poisson(leak_pace(leak, s, t, mean) * s->tick);
        leaked += more;
        leaked_all += more;
        if (leak->lost_at > 0 && t > leak->lost_at && !lost) {
            lost = lost_now = true;
            leaked = 0;
        }
        double kept = stays + leaked;
        double old = grown_old(s, stays, leaked, flushed, lost_now);
        double value = s->load == POOL_OF_PEAK ? kept : kept + in_use;
        if (s->load == LONG_SESSIONS)
            old += poisson(mean * exp(-600 / s->session_lasts));
        struct growth_sample sample = { 1, 0, (uint64_t)value,
                                        with_old ? (uint64_t)old : GROWTH_UNKNOWN, GROWTH_UNKNOWN };
        growth_begin_tick(growth, (uint64_t)((first + t + between(0, 0.02) * s->tick) * 1e9));
        growth_value(growth, &sample);
        growth_end_tick(growth);
        struct growth_finding finding;
        if (growth_findings(growth, &finding, 1) && finding.level == GROWTH_ALARM &&
            finding.is_new) {
            watched.alarm = true;
            watched.at = t - leak->begins;
            watched.leaked = leaked_all;
            watched.finding = finding;
        }
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

static void loads_alone_alarm_nobody(void **unused)
{
    (void)unused;
    static const double ticks[] = { 60, 60, 300, 3600, 20 };
    int alarms = 0;
    int all = 0;
    printf("%-24s %8s %14s %14s\n", "no leak", "runs", "by counts", "with ages");
    for (int load = 0; load < LOADS; load++) {
        int found[2] = { 0, 0 };
        int runs = runs_of(60);
        for (int run = 0; run < runs; run++) {
            for (int with_old = 0; with_old < 2; with_old++) {
                seed((uint64_t)load * 1000003 + (uint64_t)run);
                struct service service;
                double tick = ticks[run % 5];
                service_begin(&service, (enum load)load, tick);
                struct leak none = { 0, 0, 0, 0, 0 };
                struct watched watched = watch(&service, &none, with_old, tick < 60 ? 3 : 10);
                found[with_old] += watched.alarm;
                if (watched.alarm)
                    printf("  %s run %d tick %.0f old %d: %s at %.1f h from %llu to %llu since "
                           "%.1f h before\n",
                           names[load], run, tick, with_old,
                           growth_reason_word(watched.finding.reason), watched.at / HOUR,
                           (unsigned long long)watched.finding.from,
                           (unsigned long long)watched.finding.now, 0.0);
                all++;
            }
        }
        printf("%-24s %8d %14d %14d\n", names[load], runs, found[0], found[1]);
        alarms += found[0] + found[1];
    }
    printf("%d runs, %d alarms\n\n", all, alarms);
    assert_int_equal(alarms, 0);
}

/* ---- a leak, an alarm ---- */

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* RUNS of LOAD with LEAK; prints a line and returns how many were missed. */
static int planted(enum load load, const struct leak *leak, int runs, double days)
{
    int missed = 0;
    printf("%-22s", names[load]);
    for (int with_old = 0; with_old < 2; with_old++) {
        double at[256];
        double leaked[256];
        int reasons[GROWTH_REASONS] = { 0 };
        int count = 0;
        for (int run = 0; run < runs && run < 256; run++) {
            seed(UINT64_C(77) + (uint64_t)load * 1000003 + (uint64_t)run);
            struct service service;
            service_begin(&service, load, 60);
            struct watched watched = watch(&service, leak, with_old, days);
            if (watched.alarm) {
                at[count] = watched.at / HOUR;
                leaked[count++] = watched.leaked;
                reasons[watched.finding.reason]++;
            } else {
                missed++;
            }
        }
        qsort(at, (size_t)count, sizeof at[0], by_size);
        qsort(leaked, (size_t)count, sizeof leaked[0], by_size);
        if (count)
            printf(" %3d/%d %6.1f h %6.1f h %8.0f |", count, runs, at[count / 2], at[count - 1],
                   leaked[count / 2]);
        else
            printf(" %3d/%d |", count, runs);
        for (int r = 0; r < GROWTH_REASONS; r++)
            if (reasons[r])
                printf("%s:%d ", growth_reason_word(r), reasons[r]);
    }
    printf("\n");
    return missed;
}

static void each_load_with(const char *title, struct leak leak, int runs, double days, int *missed)
{
    printf("%s\n%-22s found   median   worst    leaked | (by counts; then with ages)\n", title, "");
    for (int load = 0; load < LOADS; load++)
        *missed += planted((enum load)load, &leak, runs, days);
    printf("\n");
}

static void planted_leaks_are_found(void **unused)
{
    (void)unused;
    int missed = 0;
    int runs = runs_of(10);
    for (double pace = 1; pace <= 100; pace *= 10) {
        char title[100];
        snprintf(title, sizeof title, "1 of 100 leaks at %.0f a second, from the start", pace);
        each_load_with(title, (struct leak){ pace, 0, 0, 0, 0 }, runs, 20, &missed);
        snprintf(title, sizeof title, "1 of 100 leaks at %.0f a second, after two days", pace);
        each_load_with(title, (struct leak){ pace, 2 * DAY, 0, 0, 0 }, runs, 22, &missed);
    }
    assert_int_equal(missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_alone_alarm_nobody),
        cmocka_unit_test(planted_leaks_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
