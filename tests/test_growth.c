/* test_growth.c proves what the growth detector promises besides being right: that an alarm comes
 * once, then at doublings, and ends; that groups are told apart and the interesting ones kept in
 * little memory; that numbers told are true; and what a tick costs.
 *
 * Here a period is short (12 minutes, a tick a second), so what takes a day takes minutes.
 * Whether it is right is proven by test_growth_loads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "watch/growth.h"
#include "watch/growth_series.h"
#include "watch/growth_trend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)
#define PERIOD 720 /* ticks */
#define START UINT64_C(5000)

struct scene {
    struct growth *growth;
    uint64_t tick;
};

static struct scene scene_new(size_t series_max)
{
    struct growth_options options = { .size = sizeof options,
                                      .period_ns = PERIOD * SECOND,
                                      .series_max = series_max };
    struct scene scene = { growth_new(&options), 0 };
    assert_non_null(scene.growth);
    return scene;
}

static void begin(struct scene *scene)
{
    growth_begin_tick(scene->growth, (START + scene->tick++) * SECOND);
}

static void give(struct scene *scene, uint32_t profile, uint64_t key, uint64_t value, uint64_t old)
{
    struct growth_sample sample = { profile, key, value, old, GROWTH_UNKNOWN };
    growth_value(scene->growth, &sample);
}

static void end(struct scene *scene)
{
    growth_end_tick(scene->growth);
}

static bool find(const struct scene *scene, uint32_t profile, uint64_t key,
                 struct growth_finding *found)
{
    struct growth_finding list[64];
    size_t count = growth_findings(scene->growth, list, 64);
    for (size_t i = 0; i < count; i++) {
        if (list[i].profile == profile && list[i].key == key) {
            *found = list[i];
            return true;
        }
    }
    return false;
}

/* ---- an alarm's life ---- */

/* Two quiet periods, then two a second. */
static uint64_t leak_after(uint64_t tick, uint64_t quiet)
{
    return 100 + (tick > quiet ? (tick - quiet) * 2 : 0);
}

static void an_alarm_comes_once_then_at_doublings_then_ends(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(10);
    uint64_t quiet = 2 * PERIOD + 60;
    uint64_t last = 0;
    uint64_t grown_at[16] = { 0 };
    unsigned alarms = 0;
    unsigned ends = 0;
    for (uint64_t tick = 0; tick < quiet + 8 * PERIOD; tick++) {
        uint64_t leaks_until = quiet + 2 * PERIOD;
        last = leak_after(tick < leaks_until ? tick : leaks_until, quiet);
        begin(&scene);
        give(&scene, 1, 0, last, GROWTH_UNKNOWN);
        end(&scene);
        struct growth_finding found;
        if (!find(&scene, 1, 0, &found) || !found.is_new)
            continue;
        if (found.level == GROWTH_STOPPED) {
            ends++;
            continue;
        }
        assert_int_equal(found.level, GROWTH_ALARM);
        assert_int_equal(ends, 0);
        assert_in_range(alarms, 0, 15);
        assert_true(tick > quiet && tick < leaks_until);
        grown_at[alarms++] = found.now - found.from;
        assert_int_equal(found.told, alarms);
        assert_in_range(found.from, 100, 140);
        assert_in_range(found.now, last - 60, last);
        assert_int_equal(found.value, last);
        assert_in_range(found.since_ns / SECOND - START, quiet - 60, quiet + 60);
        assert_in_range(found.steadiness, 90, 100);
        if (fabs(found.per_hour - 7200) > 1000)
            fail_msg("%.0f an hour", found.per_hour);
    }
    assert_in_range(alarms, 2, 5);
    for (unsigned i = 1; i < alarms; i++)
        assert_true(grown_at[i] >= 2 * grown_at[i - 1]);
    assert_int_equal(ends, 1);
    struct growth_finding found;
    assert_false(find(&scene, 1, 0, &found)); /* and nothing of it is left */
    growth_free(scene.growth);
}

static void what_is_released_again_ends_the_alarm_at_once(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(10);
    uint64_t quiet = 2 * PERIOD;
    bool was = false;
    uint64_t ended = 0;
    for (uint64_t tick = 0; tick < quiet + 2 * PERIOD && !ended; tick++) {
        begin(&scene);
        give(&scene, 1, 0, tick < quiet + PERIOD ? leak_after(tick, quiet) : 100, GROWTH_UNKNOWN);
        end(&scene);
        struct growth_finding found;
        bool is = find(&scene, 1, 0, &found);
        was |= is && found.level == GROWTH_ALARM;
        if (is && found.level == GROWTH_STOPPED)
            ended = tick;
    }
    assert_true(was);
    assert_in_range(ended, quiet + PERIOD, quiet + PERIOD + 30);
    growth_free(scene.growth);
}

static void a_leak_from_the_start_takes_a_period_and_is_possible_before(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(10);
    uint64_t possible = 0;
    uint64_t alarm = 0;
    for (uint64_t tick = 0; tick < 2 * PERIOD && !alarm; tick++) {
        begin(&scene);
        give(&scene, 1, 0, 3 * tick, GROWTH_UNKNOWN);
        end(&scene);
        struct growth_finding found;
        if (!find(&scene, 1, 0, &found))
            continue;
        if (!possible) {
            assert_int_equal(found.level, GROWTH_POSSIBLE);
            assert_false(found.is_new);
            possible = tick;
        }
        if (found.level == GROWTH_ALARM)
            alarm = tick;
    }
    assert_in_range(possible, 5, PERIOD / 10);
    assert_in_range(alarm, PERIOD, PERIOD + PERIOD / 6);
    growth_free(scene.growth);
}

/* Well known, then it fills up to ten times of it, ever slower: no leak, however high. */
static void what_slackens_is_no_alarm(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(10);
    for (uint64_t tick = 0; tick < 4 * PERIOD; tick++) {
        double since = tick > 2 * PERIOD ? (double)(tick - 2 * PERIOD) : 0;
        begin(&scene);
        give(&scene, 1, 0, 100 + (uint64_t)(900 * (1 - exp(-since / 16))), GROWTH_UNKNOWN);
        end(&scene);
        struct growth_finding found;
        if (find(&scene, 1, 0, &found))
            assert_int_equal(found.level, GROWTH_POSSIBLE);
    }
    growth_free(scene.growth);
}

static void a_jump_does_not_rise(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(10);
    for (uint64_t tick = 0; tick < 3 * PERIOD; tick++) {
        begin(&scene);
        give(&scene, 1, 0, 100 + tick / 10 + (tick > 2 * PERIOD ? 3000 : 0), GROWTH_UNKNOWN);
        end(&scene);
        struct growth_finding found;
        assert_false(find(&scene, 1, 0, &found));
    }
    growth_free(scene.growth);
}

static void a_limit_near_is_told_before_it_is_reached(void **unused)
{
    (void)unused;
    struct growth *growth = growth_new(NULL);
    assert_non_null(growth);
    struct growth_finding found = { 0 };
    uint64_t value = 0;
    for (uint64_t second = 0; second < 1024 && found.level != GROWTH_ALARM; second++) {
        value = 5 + second;
        growth_begin_tick(growth, (START + second) * SECOND);
        struct growth_sample sample = { 1, 0, value, GROWTH_UNKNOWN, 1024 };
        growth_value(growth, &sample);
        growth_end_tick(growth);
        growth_findings(growth, &found, 1);
    }
    assert_int_equal(found.level, GROWTH_ALARM);
    assert_int_equal(found.reason, GROWTH_LIMIT);
    assert_in_range(value, 683, 720);
    uint64_t left = 1024 - value;
    assert_in_range(found.limit_ns / SECOND, left * 9 / 10, left * 11 / 10);
    growth_free(growth);
}

/* ---- groups ---- */

static void the_group_that_grows_is_the_one_told(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(0);
    srand(1);
    for (uint64_t tick = 0; tick < 4 * PERIOD; tick++) {
        uint64_t leaked = tick > 2 * PERIOD ? tick - 2 * PERIOD : 0;
        begin(&scene);
        for (uint64_t key = 1; key <= 300; key++)
            give(&scene, 2, key, key % 50 + (uint64_t)rand() % 3 + (key == 77 ? leaked : 0),
                 GROWTH_UNKNOWN);
        for (uint64_t brief = 0; brief < 5; brief++) /* come and are gone */
            give(&scene, 2, 1000 + tick * 5 + brief, 1, GROWTH_UNKNOWN);
        give(&scene, 3, 77, 5, GROWTH_UNKNOWN); /* the same key elsewhere */
        end(&scene);
    }
    struct growth_finding list[8];
    assert_int_equal(growth_findings(scene.growth, list, 8), 1);
    assert_int_equal(list[0].profile, 2);
    assert_int_equal(list[0].key, 77);
    assert_int_equal(list[0].level, GROWTH_ALARM);
    growth_free(scene.growth);
}

static void a_group_that_comes_later_was_at_nothing_before(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(0);
    uint64_t alarm = 0;
    for (uint64_t tick = 0; tick < 4 * PERIOD && !alarm; tick++) {
        begin(&scene);
        give(&scene, 2, 0, 100, GROWTH_UNKNOWN);
        if (tick > 2 * PERIOD)
            give(&scene, 2, 5, tick - 2 * PERIOD, GROWTH_UNKNOWN);
        end(&scene);
        struct growth_finding found;
        if (find(&scene, 2, 5, &found) && found.level == GROWTH_ALARM)
            alarm = tick;
    }
    assert_in_range(alarm, 2 * PERIOD + PERIOD / 18, 2 * PERIOD + PERIOD / 4);
    growth_free(scene.growth);
}

static void findings_are_in_order_and_no_more_than_there_is_room_for(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(0);
    for (uint64_t tick = 0; tick < 3 * PERIOD; tick++) {
        begin(&scene);
        for (uint64_t key = 1; key <= 20; key++)
            give(&scene, 1, key, 10 + (tick > 2 * PERIOD ? (tick - 2 * PERIOD) * key : 0),
                 GROWTH_UNKNOWN);
        end(&scene);
    }
    struct growth_finding list[20];
    memset(list, 0xff, sizeof list);
    assert_int_equal(growth_findings(scene.growth, list, 7), 7);
    for (int i = 0; i < 7; i++)
        assert_int_equal(list[i].key, 20 - i);
    assert_int_equal(list[7].profile, UINT32_MAX);
    assert_int_equal(growth_findings(scene.growth, list, 0), 0);
    growth_free(scene.growth);
}

static void when_there_is_no_room_the_leak_stays(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(100);
    struct growth_finding found;
    for (uint64_t tick = 0; tick < 3 * PERIOD; tick++) {
        begin(&scene);
        give(&scene, 1, 0, 1000, GROWTH_UNKNOWN);
        for (uint64_t i = 0; i < 300; i++) /* more than fit, others at each tick */
            give(&scene, 2, 10000 + tick * 300 + i, 1 + i % 4, GROWTH_UNKNOWN);
        give(&scene, 2, 9, 10 + tick / 3, GROWTH_UNKNOWN);
        end(&scene);
        assert_in_range(growth_series(scene.growth), 1, 100);
    }
    assert_true(growth_dropped(scene.growth) > 1000);
    assert_in_range(growth_refused(scene.growth), 1, 300);
    assert_true(find(&scene, 2, 9, &found));
    assert_int_equal(found.level, GROWTH_ALARM);
    growth_free(scene.growth);
}

static void ages_that_become_known_are_no_growth(void **unused)
{
    (void)unused;
    struct scene scene = scene_new(0);
    struct growth_finding found;
    for (uint64_t tick = 0; tick < 5 * PERIOD; tick++) {
        begin(&scene);
        /* Few of them are old; then it is not known; then it is again. */
        bool known = tick < PERIOD || tick > 3 * PERIOD;
        give(&scene, 1, 4, 1000 + tick % 5, known ? 10 + tick % 3 : GROWTH_UNKNOWN);
        end(&scene);
        assert_false(find(&scene, 1, 4, &found));
    }
    growth_free(scene.growth);
}

/* ---- clocks ---- */

static void late_ticks_and_a_clock_that_stands_still_do_no_harm(void **unused)
{
    (void)unused;
    struct growth *growth = growth_new(NULL);
    assert_non_null(growth);
    static const uint64_t steps[] = { 0, 1, 60, 3600, 7, 86400, 0, 2592000, 1, 500000 };
    uint64_t now = START;
    struct growth_finding found;
    for (int i = 0; i < 3000; i++) {
        now += steps[i % 10];
        growth_begin_tick(growth, i % 17 == 3 ? START * SECOND : now * SECOND);
        struct growth_sample sample = { 1, 0, 500 + (uint64_t)(i % 3), 3, GROWTH_UNKNOWN };
        growth_value(growth, &sample);
        growth_end_tick(growth);
        assert_int_equal(growth_findings(growth, &found, 1), 0);
    }
    growth_free(growth);
    growth_free(NULL);
}

/* ---- parts ---- */

static void packed_floors_keep_order_and_size(void **unused)
{
    (void)unused;
    uint16_t last = 0;
    for (uint64_t value = 0; value < UINT64_C(1) << 40; value += 1 + value / 999) {
        uint16_t packed = floor_pack(value);
        uint64_t back = floor_unpack(packed);
        assert_true(packed >= last && packed < UINT16_MAX);
        assert_true(back <= value && value - back <= value / 2048);
        assert_true(value >= 4096 || back == value);
        assert_int_equal(floor_pack(back), packed);
        last = packed;
    }
    assert_int_equal(floor_pack(UINT64_MAX), UINT16_MAX);
}

static void trends_are_what_their_authors_say(void **unused)
{
    (void)unused;
    double times[] = { 0, 1, 2, 3, 4, 5 };
    double line[] = { 3, 5, 7, 9, 11, 13 };
    double wild[] = { 3, 5, 7, 1000, 11, 13 }; /* one of six cannot move the median */
    double flat[] = { 4, 4, 4, 4, 4, 4 };
    srand(2);
    for (size_t count = 1; count < 60; count++) { /* selection against counting */
        double numbers[60];
        for (size_t i = 0; i < count; i++)
            numbers[i] = rand() % 12;
        for (size_t rank = 0; rank < count; rank++) {
            double picked = trend_pick(numbers, count, rank);
            size_t below = 0;
            size_t equal = 0;
            for (size_t i = 0; i < count; i++) {
                below += numbers[i] < picked;
                equal += numbers[i] == picked;
                assert_true(i <= rank ? numbers[i] <= picked : numbers[i] >= picked);
            }
            assert_true(below <= rank && rank < below + equal);
        }
    }
    double seasons[] = { 1, 100, 3, 102, 5, 104 };
    assert_true(trend_tau(line, 6) == 1);
    assert_true(fabs(trend_slope(line, times, 6) - 2) < 1e-9);
    assert_true(fabs(trend_slope(wild, times, 6) - 2) < 1e-9);
    assert_true(fabs(trend_tau(wild, 6) - 11.0 / 15) < 1e-9);
    assert_true(trend_tau(flat, 6) == 0);
    assert_true(trend_tau_seasonal(seasons, 6, 2) == 1);
    assert_true(fabs(trend_slope_seasonal(seasons, 6, 2) - 2) < 1e-9);
    assert_true(trend_tau(seasons, 6) < 0.7);
}

/* ---- cost ---- */

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void two_thousand_series_cost_little(void **unused)
{
    (void)unused;
    struct growth *growth = growth_new(NULL);
    assert_non_null(growth);
    assert_true(growth_memory(growth) < 1000 * 1000);
    double worst = 0;
    double all = 0;
    int ticks = 6 * 24 * 60; /* six days, so that every rule has its data */
    srand(1);
    for (int tick = 0; tick < ticks; tick++) {
        struct growth_sample samples[GROWTH_SERIES_MAX];
        for (uint32_t i = 0; i < GROWTH_SERIES_MAX; i++) /* a quarter of them rise, others move */
            samples[i] = (struct growth_sample){
                1, i, i % 4 ? 50 + (uint64_t)rand() % 20 : (uint64_t)(tick * (int)(i % 40 + 1)),
                i % 2 ? GROWTH_UNKNOWN : (uint64_t)(tick / 10), GROWTH_UNKNOWN
            };
        double from = now_ms();
        growth_begin_tick(growth, (START + (uint64_t)tick * 60) * SECOND);
        for (uint32_t i = 0; i < GROWTH_SERIES_MAX; i++)
            growth_value(growth, &samples[i]);
        growth_end_tick(growth);
        double took = now_ms() - from;
        all += took;
        worst = took > worst ? took : worst;
    }
    printf("a tick of %d series: %.3f ms, at worst %.3f ms; %zu bytes\n", GROWTH_SERIES_MAX,
           all / ticks, worst, growth_memory(growth));
    fflush(stdout);
    assert_int_equal(growth_series(growth), GROWTH_SERIES_MAX);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(all / ticks < 5); /* the budget is 1 ms; a loaded machine has its own clock */
#endif
    growth_free(growth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alarm_comes_once_then_at_doublings_then_ends),
        cmocka_unit_test(what_is_released_again_ends_the_alarm_at_once),
        cmocka_unit_test(a_leak_from_the_start_takes_a_period_and_is_possible_before),
        cmocka_unit_test(what_slackens_is_no_alarm),
        cmocka_unit_test(a_jump_does_not_rise),
        cmocka_unit_test(a_limit_near_is_told_before_it_is_reached),
        cmocka_unit_test(the_group_that_grows_is_the_one_told),
        cmocka_unit_test(a_group_that_comes_later_was_at_nothing_before),
        cmocka_unit_test(findings_are_in_order_and_no_more_than_there_is_room_for),
        cmocka_unit_test(when_there_is_no_room_the_leak_stays),
        cmocka_unit_test(ages_that_become_known_are_no_growth),
        cmocka_unit_test(late_ticks_and_a_clock_that_stands_still_do_no_harm),
        cmocka_unit_test(packed_floors_keep_order_and_size),
        cmocka_unit_test(trends_are_what_their_authors_say),
        cmocka_unit_test(two_thousand_series_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
