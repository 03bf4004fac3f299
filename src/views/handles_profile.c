/* handles_profile.c: a dump of live handles as pprof samples.
 *
 * A sample's stack is the one that added the handles. Sums of ages grow beyond what 63 bits hold
 * (a million handles reach that in nanoseconds after two and a half hours), so the unit of the age
 * follows from the dump: pprof takes any, and brings profiles with different ones together. */
#include "views/handles_view.h"

#include "profile/profile.h"
#include "sources/inventories.h"
#include "views/handles_text.h"
#include "views/label_words.h"

#include <inttypes.h>
#include <string.h>

#define TYPE_AGE 1
#define LABELS_MAX (2 + LABEL_TAGS_MAX)

static const struct {
    const char *name;
    int64_t of_a_millisecond;
} units[] = {
    { "nanoseconds", 1000000 },
    { "microseconds", 1000 },
    { "milliseconds", 1 },
};

#define UNITS (sizeof units / sizeof *units)

static uint64_t age_sum_ms(const struct handle_dump *dump)
{
    uint64_t sum = 0;
    for (size_t i = 0; dump && i < dump->count; i++)
        sum += dump->inventories[i].age_sum_ms;
    return sum;
}

void handles_profile_types(struct profile *profile, const struct handle_dump *dump,
                           const struct handle_dump *earlier)
{
    uint64_t sum = age_sum_ms(dump) + age_sum_ms(earlier);
    size_t unit = 0;
    while (unit + 1 < UNITS && sum > INT64_MAX / (uint64_t)units[unit].of_a_millisecond)
        unit++;
    profile_add_type(profile, "handles", "count");
    profile_add_type(profile, "age", units[unit].name);
    profile_add_type(profile, "size", "bytes");
    profile_set_period(profile, "handles", "count", 1);
}

static int64_t of_a_millisecond(const struct profile *profile)
{
    for (size_t i = 0; i < UNITS; i++)
        if (strcmp(units[i].name, profile_type_unit(profile, TYPE_AGE)) == 0)
            return units[i].of_a_millisecond;
    return 0;
}

/* Fills LABELS but for the last; returns how many. */
static size_t fill_labels(const struct inventory_dump *inventory,
                          const struct handle_holding *holding,
                          struct profile_label labels[LABELS_MAX], struct label_tag_texts *texts)
{
    labels[0] = (struct profile_label){ .key = "inventory", .text = inventory->name };
    return 1 + label_tags(&holding->labels, &labels[1], texts);
}

static void add(struct profile *profile, const struct handle_holding *holding,
                const int64_t *values, const struct profile_label *labels, size_t count)
{
    const char *word = handles_stack_word(holding);
    if (word)
        profile_add_named(profile, &word, 1, values, labels, count);
    else
        profile_add(profile, holding->stack.frames, holding->stack.count, values, labels, count);
}

static void add_holding(struct profile *profile, const struct inventory_dump *inventory,
                        const struct handle_holding *holding, int sign, bool with_ages)
{
    struct label_tag_texts texts;
    struct profile_label labels[LABELS_MAX];
    const size_t count = fill_labels(inventory, holding, labels, &texts);
    const int64_t scale = sign * of_a_millisecond(profile);
    for (size_t i = 0; i < holding->age_count; i++) {
        const struct age_bucket *bucket = &holding->ages[i];
        const int64_t values[3] = { sign * (int64_t)bucket->count,
                                    scale * (int64_t)bucket->age_sum_ms,
                                    sign * (int64_t)bucket->bytes };
        labels[count] = (struct profile_label){ .key = "age_s",
                                                .number = (int64_t)bucket->at_least_s,
                                                .unit = "seconds" };
        add(profile, holding, values, labels, count + with_ages);
    }
}

void handles_profile_add(struct profile *profile, const struct handle_dump *dump, int sign,
                         bool with_ages)
{
    for (size_t i = 0; i < dump->count; i++)
        for (size_t j = 0; j < dump->inventories[i].count; j++)
            add_holding(profile, &dump->inventories[i], &dump->inventories[i].holdings[j], sign,
                        with_ages);
}

static void comment_count(struct profile *profile, uint64_t count, const char *what)
{
    if (count > 0)
        profile_add_comment(profile, "%" PRIu64 " %s", count, what);
}

void handles_profile_comments(struct profile *profile, const struct handle_dump *dump)
{
    uint64_t wrong_removes = 0;
    uint64_t double_adds = 0;
    uint64_t lost = 0;
    for (size_t i = 0; i < dump->count; i++) {
        wrong_removes += dump->inventories[i].wrong_removes;
        double_adds += dump->inventories[i].double_adds;
        lost += dump->inventories[i].lost;
    }
    profile_add_comment(profile, "%" PRIu64 " handles live in %zu inventories", dump->live,
                        dump->count);
    comment_count(profile, wrong_removes, "removes of handles that were not live");
    comment_count(profile, double_adds, "adds of handles that were live already");
    comment_count(profile, lost, "adds were lost");
    comment_count(profile, dump->stacks_refused, "times a stack had no room: counted as (other)");
    comment_count(profile, dump->shards_locked, "shards stayed locked, each was read whole");
    comment_count(profile, dump->shards_changing, "shards were changing while they were read");
    comment_count(profile, dump->shards_unreadable, "shards could not be read");
}
