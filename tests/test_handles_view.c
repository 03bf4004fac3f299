/* test_handles_view.c proves what is written of a dump of live handles: the sentences for a person,
 * the blocks, the JSON, the profile and the unit of its ages.
 *
 * The dump is made by hand, so that every word can be foretold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/sink.h"
#include "base/stack.h"
#include "base/target.h"
#include "modules/modules.h"
#include "profile/profile.h"
#include "profile_check.h"
#include "sources/inventories.h"
#include "symbolize/symbolize.h"
#include "views/handles_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

static struct target target;
static struct modules *modules;
static struct symbolizer *symbolizer;
static struct handle_dump dump;
static struct inventory_dump inventories[3];
static struct handle_holding holdings[3];
static struct wrong_remove wrong;
static uint64_t frames[2];

static const struct label labels[] = { { "tenant", "a\nb" }, { "user", "7" } };
static const struct age_bucket young_and_old[] = {
    { 0, 200, 100000, 1000 },
    { 10, 1004, 30000000, 2000000 },
};
static const struct age_bucket one_hour[] = { { 1000, 1, 3600000, 0 } };
static const struct age_bucket three[] = { { 1, 3, 6000, 0 } };
static const struct old_handle oldest[] = {
    { 0x55d0c0ffee00, 2500, 90 * SECOND },
    { 0x55d0c0ffee40, 0, 80 * SECOND },
};

/* Two functions that are on the stack of who added. */
__attribute__((noinline)) static int fetch_user_for_test(int number)
{
    __asm__ volatile("" ::: "memory");
    return number * 3;
}

__attribute__((noinline)) static int serve_for_test(int number)
{
    __asm__ volatile("" ::: "memory");
    return fetch_user_for_test(number) + 1;
}

static void fill_holdings(void)
{
    holdings[0] = (struct handle_holding){
        .stack = { frames, 2, "it goes deeper" },
        .labels = { labels, 2, 1, false },
        .count = 1204,
        .age_sum_ms = 30100000,
        .bytes = 2001000,
        .oldest_least_ns = 90 * SECOND,
        .oldest_most_ns = 95 * SECOND,
        .ages = young_and_old,
        .age_count = 2,
        .oldest = oldest,
        .oldest_count = 2,
    };
    holdings[1] = (struct handle_holding){
        .stack = { NULL, 0, "there was no room left for this stack" },
        .is_other = true,
        .count = 1,
        .age_sum_ms = 3600000,
        .oldest_least_ns = 3600 * SECOND,
        .oldest_most_ns = 3600 * SECOND,
        .ages = one_hour,
        .age_count = 1,
    };
    holdings[2] = (struct handle_holding){
        .stack = { frames, 1, NULL },
        .count = 3,
        .age_sum_ms = 6000,
        .oldest_least_ns = 2 * SECOND,
        .oldest_most_ns = 3 * SECOND,
        .ages = three,
        .age_count = 1,
    };
}

static int begin(void **state)
{
    (void)state;
    frames[0] = (uint64_t)(uintptr_t)fetch_user_for_test | FRAME_EXACT;
    frames[1] = (uint64_t)(uintptr_t)serve_for_test | FRAME_EXACT;
    if (target_open(&target, 0) != 0)
        return -1;
    modules = modules_new(&target);
    if (!modules || modules_refresh(modules) != 0)
        return -1;
    symbolizer = symbolizer_new(&target, modules);
    fill_holdings();
    wrong = (struct wrong_remove){ { frames, 2, NULL }, 2, 0xdead40, 5 * SECOND, 4711 };
    inventories[0] =
        (struct inventory_dump){ .name = "db.rows", .live = 3, .age_sum_ms = 6000, .count = 1 };
    inventories[0].holdings = &holdings[2];
    inventories[1] = (struct inventory_dump){ .name = "http.responses",
                                              .live = 1205,
                                              .bytes = 2001000,
                                              .age_sum_ms = 33700000,
                                              .count = 2,
                                              .double_adds = 1,
                                              .lost = 4,
                                              .wrong_removes = 3,
                                              .wrong_remove_count = 1 };
    inventories[1].holdings = holdings;
    inventories[1].wrong_remove_list = &wrong;
    inventories[2] = (struct inventory_dump){ .name = "locks" };
    dump = (struct handle_dump){ .inventories = inventories,
                                 .count = 3,
                                 .live = 1208,
                                 .time_ns = 1700000000 * SECOND,
                                 .stacks_refused = 12,
                                 .shards = 64,
                                 .shards_locked = 1,
                                 .shards_changing = 2 };
    return symbolizer ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    symbolizer_free(symbolizer);
    modules_free(modules);
    target_close(&target);
    return 0;
}

static void must_hold(const struct sink_buffer *text, const char *part)
{
    if (!strstr(text->bytes, part))
        fail_msg("\"%s\" is not in:\n%.4000s", part, text->bytes);
}

/* That PART comes somewhere behind BEFORE. */
static void must_follow(const struct sink_buffer *text, const char *before, const char *part)
{
    const char *at = strstr(text->bytes, before);
    if (!at || !strstr(at, part))
        fail_msg("\"%s\" does not follow \"%s\" in:\n%.4000s", part, before, text->bytes);
}

static void test_groups(void **state)
{
    (void)state;
    struct sink_buffer text;
    sink_buffer_init(&text);
    handles_write_groups(&text.sink, &dump, symbolizer);
    assert_int_equal(text.sink.error, 0);
    must_hold(&text, "1,208 handles live in 3 inventories\n"
                     "1 handle by stacks that had no room: they are counted as (other)\n"
                     "1 of 64 shards stayed locked by a thread of the service and");
    must_hold(&text, "\n2 of 64 shards were changing while they were read");
    must_hold(&text, "\n\nhttp.responses: 1,205 handles, 2.0 MB, mean age 27 s\n");
    must_hold(&text, "\n1,204 handles by fetch_user_for_test at test_handles_view.c:");
    must_hold(&text, ", 2.0 MB, oldest 90 s to 95 s, mean age 25 s\n"
                     "    by age: 200 up to 1.0 s, 1,004 up to 100 s\n"
                     "    labels tenant=a\\x0ab, user=7 and 1 more that had no room\n"
                     "    #0   fetch_user_for_test at ");
    must_hold(&text, "    the rest is missing: it goes deeper\n");
    must_hold(&text, "\n1 handle by (other), age 60 min\n"
                     "    its stack is not known: there was no room left for this stack\n");
    must_hold(&text, "\n3 removes of handles that were not live:\n"
                     "    2 times, the first with 0xdead40 in thread 4711 5.0 s ago\n"
                     "    #0   fetch_user_for_test at ");
    must_hold(&text, "    1 by other stacks\n");
    must_hold(&text, "\n1 add of a handle that was live already\n"
                     "\n4 adds were lost: there was no memory for them\n");
    must_follow(&text, "http.responses: ", "\ndb.rows: 3 handles, mean age 2.0 s\n");
    must_follow(&text, "db.rows: ", "\nlocks: 0 handles\n");
    sink_buffer_free(&text);
}

static void test_blocks(void **state)
{
    (void)state;
    struct sink_buffer text;
    sink_buffer_init(&text);
    handles_write_blocks(&text.sink, &dump, symbolizer);
    assert_int_equal(text.sink.error, 0);
    must_hold(&text, "\ndb.rows: 3 handles, oldest 2.0 s to 3.0 s, mean age 2.0 s\n"
                     "     3 that are not listed\n"
                     "     #0   0x");
    must_hold(&text, "\nhttp.responses: 1,204 handles, 2.0 MB, oldest 90 s to 95 s, mean age 25 s\n"
                     "     labels tenant=a\\x0ab, user=7 and 1 more that had no room\n"
                     "     0x55d0c0ffee00 for 90 s, 2.5 kB\n"
                     "     0x55d0c0ffee40 for 80 s\n"
                     "     and 1,202 more\n"
                     "     #0   0x");
    must_hold(&text, "\nhttp.responses: 1 handle by (other), age 60 min\n");
    must_hold(&text, "\nhttp.responses: what went wrong\n\n3 removes of handles that");
    sink_buffer_free(&text);
}

static void test_json(void **state)
{
    (void)state;
    struct sink_buffer text;
    sink_buffer_init(&text);
    handles_write_json(&text.sink, &dump, symbolizer);
    assert_int_equal(text.sink.error, 0);
    must_hold(&text,
              "\"live\": 1208, \"stacks_refused\": 12, \"shards\": 64, \"shards_locked\": 1, "
              "\"shards_changing\": 2, \"shards_unreadable\": 0");
    must_hold(&text, "{\"name\": \"http.responses\", \"live\": 1205, \"bytes\": 2001000, "
                     "\"age_sum_ms\": 33700000, \"double_adds\": 1, \"wrong_removes\": 3, "
                     "\"lost\": 4");
    must_hold(&text, "{\"count\": 1204, \"bytes\": 2001000, \"age_sum_ms\": 30100000, "
                     "\"oldest_least_ns\": 90000000000, \"oldest_most_ns\": 95000000000, "
                     "\"labels\": {\"tenant\": \"a\\u000ab\", \"user\": \"7\"}, "
                     "\"labels_left_out\": 1, \"labels_known\": true");
    must_hold(&text, "\"ages\": [{\"at_least_s\": 0, \"count\": 200, \"age_sum_ms\": 100000, "
                     "\"bytes\": 1000}, {\"at_least_s\": 10, ");
    must_hold(&text, "\"oldest\": [{\"handle\": \"0x55d0c0ffee00\", \"bytes\": 2500, \"age_ns\": "
                     "90000000000}, ");
    must_hold(&text, "\"other\": true, \"partial\": \"there was no room left for this stack\", "
                     "\"frames\": []}");
    must_hold(&text, "{\"times\": 2, \"handle\": \"0xdead40\", \"ago_ns\": 5000000000, "
                     "\"tid\": 4711, \"partial\": null, \"frames\": [");
    sink_buffer_free(&text);
}

static struct profile *profile_of(const struct handle_dump *now, const struct handle_dump *earlier,
                                  bool with_ages)
{
    struct profile *profile = profile_new("handles", modules, symbolizer);
    assert_non_null(profile);
    handles_profile_types(profile, now, earlier);
    if (earlier)
        handles_profile_add(profile, earlier, -1, with_ages);
    handles_profile_add(profile, now, 1, with_ages);
    handles_profile_comments(profile, now);
    return profile;
}

static Perftools__Profiles__Profile *written(struct profile *profile)
{
    struct sink_buffer bytes;
    sink_buffer_init(&bytes);
    assert_int_equal(profile_write_gzip(profile, &bytes.sink), 0);
    const char *wrong_with_it = profile_check(bytes.bytes, bytes.length);
    if (wrong_with_it)
        fail_msg("%s", wrong_with_it);
    Perftools__Profiles__Profile *read = profile_read(bytes.bytes, bytes.length);
    assert_non_null(read);
    sink_buffer_free(&bytes);
    profile_free(profile);
    return read;
}

/* The numeric label age_s of SAMPLE; -1 without. */
static int64_t age_label(const Perftools__Profiles__Profile *profile,
                         const Perftools__Profiles__Sample *sample)
{
    for (size_t i = 0; i < sample->n_label; i++)
        if (strcmp(profile_text(profile, sample->label[i]->key), "age_s") == 0) {
            assert_string_equal(profile_text(profile, sample->label[i]->num_unit), "seconds");
            return sample->label[i]->num;
        }
    return -1;
}

static void test_samples(void **state)
{
    (void)state;
    Perftools__Profiles__Profile *profile = written(profile_of(&dump, NULL, true));
    assert_int_equal(profile->n_sample_type, 3);
    assert_string_equal(profile_text(profile, profile->sample_type[0]->type), "handles");
    assert_string_equal(profile_text(profile, profile->sample_type[1]->unit), "nanoseconds");
    assert_string_equal(profile_text(profile, profile->sample_type[2]->type), "size");
    assert_int_equal(profile->n_sample, 4);
    int64_t sums[3] = { 0 };
    size_t found = 0;
    for (size_t i = 0; i < profile->n_sample; i++) {
        const Perftools__Profiles__Sample *sample = profile->sample[i];
        const char *inventory = profile_label_text(profile, sample, "inventory");
        for (int v = 0; v < 3; v++)
            sums[v] += sample->value[v];
        assert_non_null(inventory);
        if (sample->value[0] == 1004) {
            assert_int_equal(age_label(profile, sample), 10);
            assert_int_equal(sample->value[1], 30000 * (int64_t)SECOND);
            assert_int_equal(sample->value[2], 2000000);
            assert_string_equal(profile_label_text(profile, sample, "user"), "7");
            assert_string_equal(profile_frame_name(profile, sample, 0), "fetch_user_for_test");
            assert_string_equal(inventory, "http.responses");
            found++;
        }
        if (sample->value[0] == 1) {
            assert_string_equal(profile_frame_name(profile, sample, 0), "(other)");
            assert_int_equal(age_label(profile, sample), 1000);
            found++;
        }
        if (sample->value[0] == 200) {
            assert_int_equal(age_label(profile, sample), 0);
            found++;
        }
    }
    assert_int_equal(found, 3);
    assert_int_equal(sums[0], 1208);
    assert_int_equal(sums[1], 33706 * (int64_t)SECOND);
    assert_int_equal(sums[2], 2001000);
    size_t comments = 0;
    for (size_t i = 0; i < profile->n_comment; i++) {
        const char *text = profile_text(profile, profile->comment[i]);
        comments += strcmp(text, "1208 handles live in 3 inventories") == 0 ||
                    strcmp(text, "3 removes of handles that were not live") == 0 ||
                    strcmp(text, "1 adds of handles that were live already") == 0 ||
                    strcmp(text, "4 adds were lost") == 0 ||
                    strcmp(text, "2 shards were changing while they were read") == 0;
    }
    assert_int_equal(comments, 5);
    perftools__profiles__profile__free_unpacked(profile, NULL);
}

/* Without ages a holder is one sample. */
static void test_text_by_stack(void **state)
{
    (void)state;
    struct sink_buffer text;
    struct profile *profile = profile_of(&dump, NULL, false);
    sink_buffer_init(&text);
    assert_int_equal(profile_write_text(profile, &text.sink), 0);
    must_hold(&text, "handles profile: total 1208\n1204 @ 0x");
    must_hold(&text, "# labels: {\"inventory\":\"http.responses\", \"labels\":\"1 had no room\", "
                     "\"tenant\":\"a\\u000ab\", "
                     "\"user\":\"7\"}\n#\t0x");
    sink_buffer_free(&text);
    profile_free(profile);
}

static void test_a_difference(void **state)
{
    (void)state;
    struct handle_dump earlier = dump;
    struct inventory_dump before = inventories[1];
    struct handle_holding held = holdings[0];
    struct age_bucket ages[] = { { 0, 200, 100000, 1000 }, { 10, 1000, 29000000, 1990000 } };
    held.count = 1200;
    held.ages = ages;
    before.holdings = &held;
    before.count = 1;
    earlier.inventories = &before;
    earlier.count = 1;
    Perftools__Profiles__Profile *profile = written(profile_of(&dump, &earlier, true));
    assert_int_equal(profile->n_sample, 3); /* the young ones are as before */
    size_t found = 0;
    for (size_t i = 0; i < profile->n_sample; i++)
        if (age_label(profile, profile->sample[i]) == 10) {
            assert_int_equal(profile->sample[i]->value[0], 4);
            assert_int_equal(profile->sample[i]->value[1], 1000 * (int64_t)SECOND);
            assert_int_equal(profile->sample[i]->value[2], 10000);
            found++;
        }
    assert_int_equal(found, 1);
    perftools__profiles__profile__free_unpacked(profile, NULL);
}

/* More than 63 bits of nanoseconds, of microseconds. */
static void test_the_unit_of_ages(void **state)
{
    (void)state;
    static const struct {
        uint64_t sum_ms;
        const char *unit;
        int64_t value;
    } cases[] = {
        { UINT64_C(9000000000000), "nanoseconds", INT64_C(9000000000000000000) },
        { UINT64_C(9300000000000), "microseconds", INT64_C(9300000000000000) },
        { UINT64_C(9300000000000000), "milliseconds", INT64_C(9300000000000000) },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct age_bucket age = { 100, 5, cases[i].sum_ms, 0 };
        struct handle_holding held = holdings[2];
        struct inventory_dump inventory = inventories[0];
        struct handle_dump old = dump;
        held.ages = &age;
        inventory.holdings = &held;
        inventory.age_sum_ms = cases[i].sum_ms;
        old.inventories = &inventory;
        old.count = 1;
        Perftools__Profiles__Profile *profile = written(profile_of(&old, NULL, true));
        assert_string_equal(profile_text(profile, profile->sample_type[1]->unit), cases[i].unit);
        assert_int_equal(profile->sample[0]->value[1], cases[i].value);
        perftools__profiles__profile__free_unpacked(profile, NULL);
        /* A difference has the unit that both have room in. */
        profile = written(profile_of(&dump, &old, true));
        assert_string_equal(profile_text(profile, profile->sample_type[1]->unit), cases[i].unit);
        perftools__profiles__profile__free_unpacked(profile, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_text_by_stack),
        cmocka_unit_test(test_a_difference),
        cmocka_unit_test(test_the_unit_of_ages),
    };
    if (serve_for_test(1) != 4)
        return 2;
    return cmocka_run_group_tests(tests, begin, end);
}
