/* fds_groups.c: /debug/fds, the view for a person with curl.
 *
 * One group are descriptors of one kind and state that were opened by the same stack; where the
 * opener is not known, those that lead to the same place (fds_patterns.h). Groups are
 * runs in an order by what makes descriptors equal; the runs are then ordered by size. */
#include "views/fds_view.h"

#include "base/arena.h"
#include "base/sink.h"
#include "sources/fds.h"
#include "views/fds_patterns.h"
#include "views/fds_text.h"
#include "views/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_FDS 8
#define SHOWN_PATTERNS 3

struct item {
    const struct descriptor *descriptor;
    const char *pattern;
};

struct group {
    const struct item *items; /* longest open first */
    size_t count;
};

static int compare_texts(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a ? a : "", b ? b : "");
}

static int compare_openers(const struct descriptor *a, const struct descriptor *b)
{
    const struct origin *x = &a->origin;
    const struct origin *y = &b->origin;
    if (a->has_origin != b->has_origin)
        return a->has_origin ? -1 : 1;
    if (!a->has_origin)
        return 0;
    if (x->frame_count != y->frame_count)
        return x->frame_count < y->frame_count ? -1 : 1;
    if (x->frame_count == 0)
        return compare_texts(x->call, y->call);
    return x->frames == y->frames
               ? 0
               : memcmp(x->frames, y->frames, x->frame_count * sizeof *x->frames);
}

/* 0 means one group. */
static int compare_likeness(const struct item *a, const struct item *b)
{
    int order = compare_texts(a->descriptor->kind, b->descriptor->kind);
    if (order == 0)
        order = compare_texts(a->descriptor->state, b->descriptor->state);
    if (order == 0)
        order = compare_openers(a->descriptor, b->descriptor);
    if (order == 0 && !a->descriptor->has_origin)
        order = compare_texts(a->pattern, b->pattern);
    return order;
}

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    int order = compare_likeness(a, b);
    if (order)
        return order;
    uint64_t since_a = a->descriptor->has_origin ? a->descriptor->origin.time_ns : 0;
    uint64_t since_b = b->descriptor->has_origin ? b->descriptor->origin.time_ns : 0;
    if (since_a != since_b)
        return since_a < since_b ? -1 : 1;
    return (a->descriptor->fd > b->descriptor->fd) - (a->descriptor->fd < b->descriptor->fd);
}

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left;
    const struct group *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return compare_items(&a->items[0], &b->items[0]);
}

/* "file" or "files": words take a plural, names of protocols do not. */
static void write_kind(struct sink *sink, const char *kind, bool is_one)
{
    static const char *const plurals[][2] = {
        { "file", "files" },           { "directory", "directories" }, { "device", "devices" },
        { "namespace", "namespaces" }, { "socket", "sockets" },        { "fifo", "fifos" },
    };
    for (size_t i = 0; i < sizeof plurals / sizeof *plurals && !is_one; i++)
        if (strcmp(kind, plurals[i][0]) == 0)
            kind = plurals[i][1];
    sink_puts(sink, kind);
}

struct shown {
    const char *pattern;
    size_t count;
};

static int compare_patterns(const void *left, const void *right)
{
    return compare_texts(*(const char *const *)left, *(const char *const *)right);
}

/* Keeps the COUNT of PATTERN if it is one of the largest so far. */
static void keep_largest(struct shown largest[SHOWN_PATTERNS], const char *pattern, size_t count)
{
    struct shown next = { pattern, count };
    for (size_t n = 0; n < SHOWN_PATTERNS; n++) {
        if (next.count <= largest[n].count)
            continue;
        struct shown smaller = largest[n];
        largest[n] = next;
        next = smaller;
    }
}

/* Fills LARGEST; returns how many different ones there are. SCRATCH has room for all. */
static size_t count_patterns(const struct group *group, const char **scratch,
                             struct shown largest[SHOWN_PATTERNS])
{
    size_t different = 0;
    size_t run;
    for (size_t i = 0; i < group->count; i++)
        scratch[i] = group->items[i].pattern;
    qsort(scratch, group->count, sizeof *scratch, compare_patterns);
    for (size_t i = 0; i < group->count; i += run) {
        for (run = 1; i + run < group->count && scratch[i + run] == scratch[i];)
            run++; /* equal ones are one string */
        keep_largest(largest, scratch[i], run);
        different++;
    }
    return different;
}

/* "to 10.0.0.1:80 (900), on 0.0.0.0:443 (3) and elsewhere (2)" where they differ. */
static void write_patterns(struct sink *sink, const struct group *group, const char **scratch)
{
    struct shown largest[SHOWN_PATTERNS] = { { NULL, 0 } };
    size_t different = count_patterns(group, scratch, largest);
    size_t others = group->count;
    for (size_t n = 0; n < SHOWN_PATTERNS && largest[n].count > 0; n++) {
        sink_puts(sink, n ? ", " : largest[n].pattern[0] ? " " : "");
        sink_plain(sink, largest[n].pattern);
        others -= largest[n].count;
        if (different == 1)
            continue;
        sink_puts(sink, " (");
        fds_write_count(sink, largest[n].count);
        sink_puts(sink, ")");
    }
    if (others > 0) {
        sink_puts(sink, " and elsewhere (");
        fds_write_count(sink, others);
        sink_puts(sink, ")");
    }
}

static void write_queues(struct sink *sink, const struct group *group)
{
    uint64_t unread = 0;
    uint64_t unsent = 0;
    bool are_memory = false;
    for (size_t i = 0; i < group->count; i++) {
        unread += group->items[i].descriptor->unread;
        unsent += group->items[i].descriptor->unsent;
        are_memory = are_memory || group->items[i].descriptor->queues_are_memory;
    }
    fds_write_queues(sink, unread, unsent, are_memory);
}

static void write_numbers(struct sink *sink, const struct group *group)
{
    sink_puts(sink, group->count == 1 ? "    fd" : "    fds");
    for (size_t i = 0; i < group->count && i < SHOWN_FDS; i++)
        sink_printf(sink, " %d", group->items[i].descriptor->fd);
    if (group->count > SHOWN_FDS) {
        sink_puts(sink, " and ");
        fds_write_count(sink, group->count - SHOWN_FDS);
        sink_puts(sink, " more");
    }
    sink_puts(sink, "\n");
}

/* A single one is named in full. */
static void write_target(struct sink *sink, const struct group *group)
{
    const struct descriptor *only = group->items[0].descriptor;
    const char *target = group->count == 1 ? only->target : "";
    if (target[0] && strcmp(target, group->items[0].pattern) != 0) {
        sink_puts(sink, "    ");
        sink_plain(sink, target);
        sink_puts(sink, "\n");
    }
}

static void write_group(struct sink *sink, const struct fd_dump *dump, const struct group *group,
                        const char **scratch, struct symbolizer *symbolizer)
{
    const struct descriptor *oldest = group->items[0].descriptor;
    uint64_t age = fds_age_ns(dump, oldest);
    sink_puts(sink, "\n");
    fds_write_count(sink, group->count);
    sink_puts(sink, " ");
    write_kind(sink, oldest->kind, group->count == 1);
    if (oldest->state)
        sink_printf(sink, " %s", oldest->state);
    write_patterns(sink, group, scratch);
    write_queues(sink, group);
    if (oldest->has_origin) {
        sink_puts(sink, ", opened by ");
        fds_write_opener(sink, oldest, symbolizer);
    }
    if (age > 0) {
        sink_puts(sink, group->count == 1 ? ", open for " : ", oldest ");
        sink_duration(sink, age);
    }
    sink_puts(sink, "\n");
    write_target(sink, group);
    write_numbers(sink, group);
    frames_write(sink, oldest->origin.frames, oldest->has_origin ? oldest->origin.frame_count : 0,
                 symbolizer, "    ", 0);
}

/* Cuts the ordered items into groups; returns how many. */
static size_t find_groups(const struct item *items, size_t count, struct group *groups)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_likeness(&items[i - 1], &items[i]) != 0)
            groups[found++] = (struct group){ .items = &items[i] };
        groups[found - 1].count++;
    }
    return found;
}

void fds_write_groups(struct sink *sink, const struct fd_dump *dump, struct symbolizer *symbolizer)
{
    struct arena arena = ARENA_INIT;
    fds_write_totals(sink, dump);
    const char **patterns = fd_patterns_make(dump, &arena);
    struct item *items = arena_array(&arena, dump->count, sizeof *items);
    struct group *groups = arena_array(&arena, dump->count, sizeof *groups);
    const char **scratch = arena_array(&arena, dump->count, sizeof *scratch);
    if (!patterns || !items || !groups || !scratch) {
        if (!sink->error)
            sink->error = -ENOMEM;
    } else {
        for (size_t i = 0; i < dump->count; i++)
            items[i] = (struct item){ &dump->descriptors[i], patterns[i] };
        qsort(items, dump->count, sizeof *items, compare_items);
        size_t count = find_groups(items, dump->count, groups);
        qsort(groups, count, sizeof *groups, compare_groups);
        for (size_t i = 0; i < count && !sink->error; i++)
            write_group(sink, dump, &groups[i], scratch, symbolizer);
    }
    arena_release(&arena);
}
