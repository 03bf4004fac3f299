/* test_collect_pprof.c proves what `snag collect` does with profiles of others: whatever the bytes
 * are, they are a whole profile or an error in words, and take bounded memory; and merging goes by
 * the format's rules where real profiles do not show it: what is equal though it looks
 * different, and what is different though it looks equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/sink.h"
#include "collect/diff.h"
#include "collect/pprof_merge.h"
#include "profile/message.h"
#include "profile_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LIMIT ((size_t)1 << 20)
#define MUTANTS 20000

/* Two stacks, a() < main() and b() < main(), in one mapping; a has two labels of one key, and a
 * number. */
struct model {
    Profile profile;
    ValueType type, period_type;
    Sample samples[2];
    Label labels[3];
    Location locations[3];
    Line lines[3];
    Function functions[3];
    Mapping mapping;
    char *strings[16];
    uint64_t stacks[2][2];
    int64_t values[2];
    int64_t comments[1];
    ValueType *type_at[1];
    Sample *sample_at[2];
    Label *label_at[3];
    Location *location_at[3];
    Line *line_at[3];
    Function *function_at[3];
    Mapping *mapping_at[1];
};

enum { EMPTY, THREADS, COUNT, A, B, MAIN, FILE_NAME, BUILD, KEY, ONE, TWO, UNIT, COMMENT, TEXTS };

static void set_lists(struct model *model)
{
    Profile *profile = &model->profile;
    model->type_at[0] = &model->type;
    model->mapping_at[0] = &model->mapping;
    for (size_t i = 0; i < 3; i++) {
        model->label_at[i] = &model->labels[i];
        model->location_at[i] = &model->locations[i];
        model->line_at[i] = &model->lines[i];
        model->function_at[i] = &model->functions[i];
        model->locations[i].n_line = 1;
        model->locations[i].line = &model->line_at[i];
    }
    for (size_t i = 0; i < 2; i++) {
        model->sample_at[i] = &model->samples[i];
        model->samples[i].n_location_id = 2;
        model->samples[i].location_id = model->stacks[i];
        model->samples[i].n_value = 1;
        model->samples[i].value = &model->values[i];
    }
    model->samples[0].n_label = 3;
    model->samples[0].label = model->label_at;
    profile->n_sample_type = 1, profile->sample_type = model->type_at;
    profile->n_sample = 2, profile->sample = model->sample_at;
    profile->n_mapping = 1, profile->mapping = model->mapping_at;
    profile->n_location = 3, profile->location = model->location_at;
    profile->n_function = 3, profile->function = model->function_at;
    profile->n_string_table = TEXTS, profile->string_table = model->strings;
    profile->n_comment = 1, profile->comment = model->comments;
}

static void begin(struct model *model)
{
    static char *const texts[TEXTS] = { "",     "threads", "count",    "a",   "b",
                                        "main", "/bin/x",  "abcdef01", "key", "one",
                                        "two",  "bytes",   "said" };
    memset(model, 0, sizeof *model);
    perftools__profiles__profile__init(&model->profile);
    perftools__profiles__value_type__init(&model->type);
    perftools__profiles__value_type__init(&model->period_type);
    perftools__profiles__mapping__init(&model->mapping);
    memcpy(model->strings, texts, sizeof texts);
    model->type.type = THREADS, model->type.unit = COUNT;
    model->period_type = model->type;
    model->profile.period_type = &model->period_type;
    model->profile.default_sample_type = THREADS;
    model->profile.period = 1;
    model->profile.time_nanos = 1;
    for (size_t i = 0; i < 3; i++) {
        perftools__profiles__label__init(&model->labels[i]);
        perftools__profiles__location__init(&model->locations[i]);
        perftools__profiles__line__init(&model->lines[i]);
        perftools__profiles__function__init(&model->functions[i]);
        model->functions[i].id = 10 + i;
        model->functions[i].name = (int64_t)(A + i);
        model->functions[i].filename = FILE_NAME;
        model->lines[i].function_id = 10 + i;
        model->lines[i].line = (int64_t)(100 + i);
        model->locations[i].id = UINT64_MAX - i; /* as large as they come */
        model->locations[i].mapping_id = 7;
        model->locations[i].address = 0x10100 + 0x10 * i;
        model->labels[i].key = KEY;
    }
    for (size_t i = 0; i < 2; i++) {
        perftools__profiles__sample__init(&model->samples[i]);
        model->stacks[i][0] = UINT64_MAX - i;
        model->stacks[i][1] = UINT64_MAX - 2;
        model->values[i] = 5;
    }
    model->labels[0].str = ONE;
    model->labels[1].str = TWO;
    model->labels[2].num = 3, model->labels[2].num_unit = UNIT;
    model->mapping.id = 7;
    model->mapping.memory_start = 0x10000, model->mapping.memory_limit = 0x12000;
    model->mapping.filename = FILE_NAME, model->mapping.build_id = BUILD;
    model->comments[0] = COMMENT;
    set_lists(model);
}

static size_t packed(const struct model *model, unsigned char **bytes)
{
    size_t size = perftools__profiles__profile__get_packed_size(&model->profile);
    *bytes = malloc(size);
    assert_non_null(*bytes);
    return perftools__profiles__profile__pack(&model->profile, *bytes);
}

static void read_model(const struct model *model, struct pprof *pprof)
{
    unsigned char *bytes;
    char why[256];
    size_t size = packed(model, &bytes);
    if (pprof_parse(pprof, bytes, size, LIMIT, why, sizeof why) != 0)
        fail_msg("%s", why);
    free(bytes);
}

/* MODEL cannot be read, for a reason that has WORDS in it. */
static void is_refused(const struct model *model, const char *words)
{
    struct pprof pprof;
    unsigned char *bytes;
    char why[256];
    size_t size = packed(model, &bytes);
    assert_int_equal(pprof_parse(&pprof, bytes, size, LIMIT, why, sizeof why), -EBADMSG);
    if (!strstr(why, words))
        fail_msg("'%s' does not say '%s'", why, words);
    free(bytes);
}

static void broken_messages_are_refused(void **state)
{
    struct model model;
    (void)state;
#define REFUSED(change, words) (begin(&model), (change), is_refused(&model, words))
    REFUSED(model.profile.n_string_table = 0, "no table of strings");
    REFUSED(model.strings[0] = "x", "first string");
    REFUSED(model.type.unit = TEXTS, "string that is not there");
    REFUSED(model.comments[0] = -1, "string that is not there");
    REFUSED(model.profile.default_sample_type = INT64_MAX, "string that is not there");
    REFUSED(model.mapping.id = 0, "mapping has the id 0");
    REFUSED(model.mapping.build_id = INT64_MIN, "mapping 7");
    REFUSED(model.functions[1].id = 10, "two functions have the id 10");
    REFUSED(model.functions[2].name = TEXTS, "function 12");
    REFUSED(model.locations[1].id = UINT64_MAX, "two locations have the id 18446744073709551615");
    REFUSED(model.lines[0].function_id = 99, "in function 99, which is not there");
    REFUSED(model.stacks[1][1] = 5, "at location 5, which is not there");
    REFUSED(model.stacks[1][1] = 0, "at location 0, which is not there");
    REFUSED(model.samples[0].n_value = 0, "0 values for 1 types");
    REFUSED(model.profile.n_sample_type = 0, "no sample type");
    REFUSED(model.labels[1].key = TEXTS + 1, "label that is not there");
#undef REFUSED
}

/* As Go: such files are about. */
static void a_mapping_that_is_not_there_is_none(void **state)
{
    struct model model;
    struct pprof pprof;
    (void)state;
    begin(&model);
    model.locations[0].mapping_id = 8;
    read_model(&model, &pprof);
    pprof_free(&pprof);
}

/* The values, as many as there are of samples that are not 0, of BEFORE and NOW merged; checked by
 * the rules of what we write ourselves. */
static size_t merged(const struct model *before, const struct model *now, Profile **written)
{
    const struct model *const models[] = { now, before };
    struct merge merge;
    struct sink_buffer bytes;
    char why[256];
    assert_int_equal(merge_begin(&merge), 0);
    for (size_t i = 0; i < 2; i++) {
        struct pprof pprof;
        read_model(models[i], &pprof);
        if (merge_add(&merge, &pprof, i == 1, why, sizeof why) != 0)
            fail_msg("%s", why);
        pprof_free(&pprof);
    }
    sink_buffer_init(&bytes);
    assert_int_equal(merge_write(&merge, &bytes.sink), 0);
    const char *found = profile_check(bytes.bytes, bytes.length);
    if (found)
        fail_msg("%s", found);
    Profile *profile = profile_read(bytes.bytes, bytes.length);
    assert_non_null(profile);
    size_t count = profile->n_sample;
    sink_buffer_free(&bytes);
    merge_free(&merge);
    if (written)
        *written = profile;
    else
        perftools__profiles__profile__free_unpacked(profile, NULL);
    return count;
}

static void what_is_equal_is_one(void **state)
{
    struct model before, now;
    (void)state;
    begin(&before);
#define EQUAL(change) (begin(&now), (change), assert_int_equal(merged(&before, &now, NULL), 0))
    EQUAL((void)0);
    EQUAL(now.mapping.filename = COMMENT);   /* the build id tells */
    EQUAL(now.mapping.memory_limit -= 0x10); /* the same pages */
    EQUAL(now.mapping.has_functions = 1);
    /* Elsewhere in memory. */
    begin(&now);
    now.mapping.memory_start += 0x7f0000000000;
    now.mapping.memory_limit += 0x7f0000000000;
    for (size_t i = 0; i < 3; i++)
        now.locations[i].address += 0x7f0000000000;
    assert_int_equal(merged(&before, &now, NULL), 0);
    /* A label without a value is none. */
    begin(&now);
    now.labels[2].num = 0, now.labels[2].num_unit = 0;
    before.samples[0].n_label = 2;
    assert_int_equal(merged(&before, &now, NULL), 0);
    before.samples[0].n_label = 3;
    /* Texts and numbers may stand in any order. */
    begin(&now);
    now.labels[0].str = 0, now.labels[0].num = 3, now.labels[0].num_unit = UNIT;
    now.labels[1].str = ONE;
    now.labels[2].str = TWO, now.labels[2].num = 0, now.labels[2].num_unit = 0;
    assert_int_equal(merged(&before, &now, NULL), 0);
#undef EQUAL
}

static void what_is_different_stays_so(void **state)
{
    struct model before, now;
    (void)state;
    begin(&before);
#define DIFFERENT(count, change)                                                                   \
    (begin(&now), (change), assert_int_equal(merged(&before, &now, NULL), count))
    DIFFERENT(2, (now.labels[0].str = TWO, now.labels[1].str = ONE)); /* values have an order */
    DIFFERENT(2, now.labels[2].num = 4);
    DIFFERENT(2, now.labels[2].num_unit = 0);
    DIFFERENT(2, now.samples[0].n_label = 2);
    DIFFERENT(2, now.lines[0].line++);
    DIFFERENT(2, now.lines[0].column = 2);
    DIFFERENT(2, now.locations[1].address++);
    DIFFERENT(2, now.locations[0].is_folded = 1);
    DIFFERENT(2, now.functions[0].start_line = 1);
    DIFFERENT(4, now.strings[BUILD] = "abcdef02");
    DIFFERENT(4, now.mapping.file_offset = 0x1000);
    DIFFERENT(4, now.mapping.memory_limit += 0x1000);
    DIFFERENT(1, now.values[1] = 6);
    DIFFERENT(1, now.values[1] = 0);
    DIFFERENT(1, now.values[0] = INT64_MIN);
#undef DIFFERENT
}

/* Go's combineHeaders. */
static void headers_are_combined(void **state)
{
    struct model before, now;
    Profile *written;
    (void)state;
    begin(&before);
    begin(&now);
    before.profile.time_nanos = 1000, now.profile.time_nanos = 3000;
    before.profile.duration_nanos = 5, now.profile.duration_nanos = 7;
    before.profile.period = 9, now.profile.period = 2;
    now.profile.default_sample_type = 0; /* the first that has one */
    now.strings[COMMENT] = "said later";
    now.values[1] = 47;
    assert_int_equal(merged(&before, &now, &written), 1);
    assert_int_equal(written->time_nanos, 1000);
    assert_int_equal(written->duration_nanos, 12);
    assert_int_equal(written->period, 9);
    assert_string_equal(profile_text(written, written->default_sample_type), "threads");
    assert_int_equal(written->n_comment, 2);
    assert_string_equal(profile_text(written, written->comment[0]), "said later");
    assert_int_equal(written->sample[0]->value[0], 42);
    assert_string_equal(profile_frame_name(written, written->sample[0], 0), "b");
    perftools__profiles__profile__free_unpacked(written, NULL);
}

static void other_types_are_no_difference(void **state)
{
    struct model now, before;
    struct pprof pprof;
    struct merge merge;
    char why[256];
    (void)state;
    begin(&now);
    assert_int_equal(merge_begin(&merge), 0);
    read_model(&now, &pprof);
    assert_int_equal(merge_add(&merge, &pprof, false, why, sizeof why), 0);
    pprof_free(&pprof);
    begin(&before);
    before.type.unit = UNIT;
    read_model(&before, &pprof);
    assert_int_equal(merge_add(&merge, &pprof, true, why, sizeof why), -EINVAL);
    assert_string_equal(why, "it counts other things: threads/bytes");
    pprof_free(&pprof);
    begin(&before);
    before.period_type.type = KEY;
    read_model(&before, &pprof);
    assert_int_equal(merge_add(&merge, &pprof, true, why, sizeof why), -EINVAL);
    pprof_free(&pprof);
    merge_free(&merge);
}

/* Two bytes that become eighty, and a thousand that become a million. */
static void bombs_are_bounded(void **state)
{
    static unsigned char bytes[LIMIT];
    struct pprof pprof;
    char why[256];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i += 2)
        bytes[i] = 2 << 3 | 2, bytes[i + 1] = 0; /* an empty sample */
    assert_int_equal(pprof_parse(&pprof, bytes, sizeof bytes, LIMIT, why, sizeof why), -EFBIG);
    assert_string_equal(why, "it would take more than 4 MiB of memory");

    uLong size = compressBound(4 * LIMIT);
    unsigned char *plain = calloc(4, LIMIT);
    unsigned char *gzipped = malloc(size);
    z_stream stream = { .next_in = plain, .avail_in = 4 * LIMIT, .next_out = gzipped };
    stream.avail_out = (uInt)size;
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(pprof_parse(&pprof, gzipped, stream.total_out, LIMIT, why, sizeof why),
                     -EFBIG);
    deflateEnd(&stream);
    free(gzipped);
    free(plain);
}

/* Reads, merges with itself, shows and writes; whatever can be read comes out as nothing. */
static void try(const unsigned char *bytes, size_t size)
{
    struct pprof pprof;
    struct merge merge;
    struct sink_buffer text;
    size_t grown;
    char why[256];
    if (pprof_parse(&pprof, bytes, size, LIMIT, why, sizeof why) != 0) {
        assert_true(*why);
        return;
    }
    assert_int_equal(merge_begin(&merge), 0);
    assert_int_equal(merge_add(&merge, &pprof, false, why, sizeof why), 0);
    assert_int_equal(merge_add(&merge, &pprof, true, why, sizeof why), 0);
    sink_buffer_init(&text);
    const struct diff_table table = { .merge = &merge, .minimum = 1, .time_now = INT64_MAX };
    assert_int_equal(diff_table_write(&table, &text.sink, &grown), 0);
    assert_int_equal(grown, 0);
    sink_buffer_free(&text);
    sink_buffer_init(&text);
    assert_int_equal(merge_write(&merge, &text.sink), 0);
    Profile *written = profile_read(text.bytes, text.length);
    assert_non_null(written);
    assert_int_equal(written->n_sample, 0);
    perftools__profiles__profile__free_unpacked(written, NULL);
    sink_buffer_free(&text);
    merge_free(&merge);
    pprof_free(&pprof);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = hash_word(*seed, 1);
    return *seed;
}

static void mutants_do_no_harm(void **state)
{
    struct model model;
    unsigned char *bytes;
    uint64_t seed = 1;
    (void)state;
    begin(&model);
    size_t size = packed(&model, &bytes);
    unsigned char *mutant = malloc(size);
    assert_non_null(mutant);
    for (size_t i = 0; i < size; i++)
        try(bytes, i);
    for (int i = 0; i < MUTANTS; i++) {
        memcpy(mutant, bytes, size);
        for (uint64_t changes = 1 + next_random(&seed) % 4; changes > 0; changes--)
            mutant[next_random(&seed) % size] = (unsigned char)next_random(&seed);
        try(mutant, size);
    }
    free(mutant);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_messages_are_refused),
        cmocka_unit_test(a_mapping_that_is_not_there_is_none),
        cmocka_unit_test(what_is_equal_is_one),
        cmocka_unit_test(what_is_different_stays_so),
        cmocka_unit_test(headers_are_combined),
        cmocka_unit_test(other_types_are_no_difference),
        cmocka_unit_test(bombs_are_bounded),
        cmocka_unit_test(mutants_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
