/* series.c: what there is now, as series; see series.h.
 *
 * Groups are gathered in a table by profile and key, each with a stack to name it by. What has a
 * stack is grouped by it; descriptors without tracking by kind and state, so that sockets in
 * CLOSE_WAIT are a series of their own. */
#include "watch/series.h"

#include "base/arena.h"
#include "base/hash_index.h"
#include "base/sink.h"
#include "base/stack.h"
#include "reports/picture.h"
#include "reports/reports.h"
#include "sources/fds.h"
#include "sources/inventories.h"
#include "sources/threads.h"
#include "symbolize/symbolize.h"
#include "waits/place_words.h"
#include "watch/counts.h"
#include "watch/growth.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FDS_BUDGET_NS UINT64_C(1000000000)

struct group {
    uint32_t profile;
    uint64_t key;
    uint64_t value;
    uint64_t old; /* GROWTH_UNKNOWN */
    const uint64_t *frames;
    size_t frame_count;
    const char *words; /* where there are no frames: "tcp CLOSE_WAIT" */
};

struct series {
    struct arena arena;
    struct lab *lab;
    const struct picture *picture;
    const struct counts *counts;
    struct fd_dump *fds;
    struct handle_dump *handles;
    struct hash_index index;
    struct group *groups;
    size_t count;
    size_t capacity;
    uint64_t old_ns;
    uint64_t old_threads; /* of all */
};

static bool is_group(const void *within, uint32_t entry, const void *key)
{
    const struct series *series = within;
    const struct group *group = key;
    return series->groups[entry].profile == group->profile &&
           series->groups[entry].key == group->key;
}

/* Adds VALUE and OLD of GROUP to those of its equals. */
static void add(struct series *series, const struct group *group)
{
    uint64_t hash = hash_word(hash_word(0, group->profile), group->key);
    uint32_t found = hash_index_find(&series->index, hash, is_group, series, group);
    if (found != HASH_NONE) {
        struct group *to = &series->groups[found];
        to->value += group->value;
        if (to->old != GROWTH_UNKNOWN)
            to->old = group->old == GROWTH_UNKNOWN ? GROWTH_UNKNOWN : to->old + group->old;
        return;
    }
    struct group *groups = array_reserve(&series->arena, series->groups, &series->capacity,
                                         series->count, sizeof *groups);
    if (!groups)
        return;
    series->groups = groups;
    if (!hash_index_insert(&series->index, &series->arena, hash, (uint32_t)series->count))
        return;
    groups[series->count++] = *group;
}

/* Never 0, which is the key of a total. */
static uint64_t key_of(const void *bytes, size_t length)
{
    uint64_t hash = hash_bytes(0, bytes, length);
    return hash ? hash : 1;
}

static void add_threads(struct series *series)
{
    const struct thread_dump *dump = series->picture->threads;
    for (size_t i = 0; i < dump->count; i++) {
        const struct thread_sample *thread = &dump->threads[i];
        bool is_old = thread->state != 'R' && thread->blocked_ns > series->old_ns;
        series->old_threads += is_old;
        if (thread->state == 'R' || thread->frame_count == 0)
            continue;
        struct group group = {
            .profile = SERIES_THREADS,
            .key = key_of(thread->frames, thread->frame_count * sizeof *thread->frames),
            .value = 1,
            .old = is_old,
            .frames = thread->frames,
            .frame_count = thread->frame_count,
        };
        add(series, &group);
    }
}

static const char *words_of(struct series *series, const struct descriptor *descriptor)
{
    char text[96];
    if (!descriptor->state)
        return descriptor->kind;
    snprintf(text, sizeof text, "%s %s", descriptor->kind, descriptor->state);
    const char *words = arena_strdup(&series->arena, text);
    return words ? words : descriptor->kind;
}

static void add_fds(struct series *series)
{
    const struct fd_dump *dump = series->fds;
    for (size_t i = 0; dump && i < dump->count; i++) {
        const struct descriptor *descriptor = &dump->descriptors[i];
        const struct origin *origin = &descriptor->origin;
        struct group group = { .profile = SERIES_FDS, .value = 1, .old = GROWTH_UNKNOWN };
        if (descriptor->has_origin && origin->frame_count > 0) {
            group.frames = origin->frames;
            group.frame_count = origin->frame_count;
            group.key = key_of(origin->frames, origin->frame_count * sizeof *origin->frames);
            group.old = dump->monotonic_ns > origin->time_ns &&
                        dump->monotonic_ns - origin->time_ns > series->old_ns;
        } else {
            group.words = words_of(series, descriptor);
            group.key = key_of(group.words, strlen(group.words));
        }
        add(series, &group);
    }
}

/* Those in buckets that are old all through. */
static uint64_t old_of(const struct series *series, const struct handle_holding *holding)
{
    uint64_t old = 0;
    for (size_t i = 0; i < holding->age_count; i++)
        if (holding->ages[i].at_least_s * UINT64_C(1000000000) >= series->old_ns)
            old += holding->ages[i].count;
    return old;
}

static void add_handles(struct series *series)
{
    const struct handle_dump *dump = series->handles;
    for (size_t i = 0; dump && i < dump->count; i++) {
        const struct inventory_dump *inventory = &dump->inventories[i];
        struct group total = { .profile = SERIES_INVENTORIES + 1 + (uint32_t)i };
        for (size_t j = 0; j < inventory->count; j++) {
            const struct handle_holding *holding = &inventory->holdings[j];
            struct group group = {
                .profile = total.profile,
                .key = key_of(holding->stack.frames,
                              holding->stack.count * sizeof *holding->stack.frames),
                .value = holding->count,
                .old = old_of(series, holding),
                .frames = holding->stack.frames,
                .frame_count = holding->stack.count,
            };
            total.value += group.value;
            total.old += group.old;
            if (holding->stack.count > 0)
                add(series, &group);
        }
        add(series, &total);
    }
}

struct series *series_take(struct lab *lab, const struct picture *picture,
                           const struct counts *counts, uint64_t old_ns)
{
    struct series *series = calloc(1, sizeof *series);
    if (!series)
        return NULL;
    const struct inventory_wish wish = { .root = lab->handles_root,
                                         .labels_root = lab->labels_root };
    series->lab = lab;
    series->picture = picture;
    series->counts = counts;
    series->old_ns = old_ns;
    if (fd_source_dump(lab->fds, false, FDS_BUDGET_NS, &series->fds) != 0)
        series->fds = NULL;
    if (inventory_source_dump(lab->inventories, &wish, &series->handles) != 0)
        series->handles = NULL;
    add_threads(series);
    add_fds(series);
    add_handles(series);
    return series;
}

void series_free(struct series *series)
{
    if (!series)
        return;
    if (series->fds)
        fd_dump_free(series->fds);
    if (series->handles)
        handle_dump_free(series->handles);
    arena_release(&series->arena);
    free(series);
}

static void feed_total(struct growth *growth, uint32_t profile, long value, uint64_t old,
                       uint64_t limit)
{
    if (value < 0)
        return;
    const struct growth_sample sample = {
        .profile = profile,
        .value = (uint64_t)value,
        .old = old,
        .limit = limit == 0 || limit == UINT64_MAX ? GROWTH_UNKNOWN : limit,
    };
    growth_value(growth, &sample);
}

void series_feed(const struct series *series, struct growth *growth)
{
    const struct counts *counts = series->counts;
    feed_total(growth, SERIES_THREADS, counts->threads, series->old_threads, 0);
    feed_total(growth, SERIES_FDS, counts->fds, GROWTH_UNKNOWN, counts->fd_limit);
    for (size_t i = 0; i < series->count; i++) {
        const struct group *group = &series->groups[i];
        const struct growth_sample sample = {
            .profile = group->profile,
            .key = group->key,
            .value = group->value,
            .old = group->old,
            .limit = GROWTH_UNKNOWN,
        };
        growth_value(growth, &sample);
    }
}

const char *series_profile(const struct series *series, uint32_t profile)
{
    if (profile == SERIES_THREADS)
        return "threads";
    if (profile == SERIES_FDS)
        return "descriptors";
    size_t index = profile - SERIES_INVENTORIES - 1;
    return index < series->counts->inventory_count ? series->counts->inventories[index].name : "?";
}

/* The innermost frame that is the program's own, or a library's other than the C library. */
static uint64_t own_frame(const struct series *series, const struct group *group)
{
    for (size_t i = 0; i < group->frame_count; i++)
        if (!location_is_c_library(
                symbolize(series->lab->symbolizer, frame_lookup(group->frames[i]))))
            return group->frames[i];
    return group->frames[0];
}

void series_write_place(const struct series *series, struct sink *sink, uint32_t profile,
                        uint64_t key)
{
    const struct group wanted = { .profile = profile, .key = key };
    uint64_t hash = hash_word(hash_word(0, profile), key);
    uint32_t found = hash_index_find(&series->index, hash, is_group, series, &wanted);
    if (key == 0 || found == HASH_NONE)
        return;
    const struct group *group = &series->groups[found];
    if (group->frame_count == 0) {
        sink_puts(sink, group->words ? group->words : "");
        return;
    }
    sink_puts(sink, profile == SERIES_THREADS ? "in "
                    : profile == SERIES_FDS   ? "opened by "
                                              : "held by ");
    place_write(sink, series->lab->symbolizer, own_frame(series, group));
}
