/* diff_table.c: a difference for reading: what grew, most first, then what shrank; see diff.h.
 *
 * Samples are counted together by their stack as it is shown, whatever their labels: a leak is
 * many threads of one stack, each with another peer. The frames every thread ends in are left
 * out, and of a long stack its middle; those in the main binary say where in the source. */
#include "base/sink.h"
#include "collect/diff.h"
#include "collect/pprof_merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of a stack that is longer than the sum. */
#define INNERMOST 6u
#define OUTERMOST 6u

static const char *const every_thread_ends_in[] = {
    "start_thread",
    "clone3",
    "clone",
    "__clone3",
    "__clone",
    "_start",
    "__libc_start_main",
    "__libc_start_main_impl",
    "__libc_start_call_main",
};

struct row {
    const char *stack;
    int64_t before, now;
};

struct rows {
    struct arena arena;
    struct strings stacks; /* row i is that of string i; 0 has no samples but those of no stack */
    struct row *all;
    size_t count, capacity;
};

static int64_t growth(const struct row *row)
{
    return (int64_t)((uint64_t)row->now - (uint64_t)row->before);
}

static uint64_t size_of(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The function that stands in the symbol table: of a location's lines the last. */
static const struct merged_line *line_of(const struct merged_location *location)
{
    return location->line_count > 0 ? &location->lines[location->line_count - 1] : NULL;
}

static const struct merged_function *function_of(const struct merge *merge,
                                                 const struct merged_location *location)
{
    const struct merged_line *line = line_of(location);
    return line && line->function != NOTHING ? &merge->functions[line->function] : NULL;
}

static bool is_telling(const struct merge *merge, const struct merged_location *location)
{
    const struct merged_function *function = function_of(merge, location);
    size_t count = sizeof every_thread_ends_in / sizeof *every_thread_ends_in;
    for (size_t i = 0; function && i < count; i++)
        if (strcmp(merge_text(merge, function->name), every_thread_ends_in[i]) == 0)
            return false;
    return true;
}

static void write_frame(const struct merge *merge, const struct merged_location *location,
                        struct sink *sink)
{
    const struct merged_function *function = function_of(merge, location);
    if (!function && location->mapping == NOTHING) {
        sink_printf(sink, "%#" PRIx64, location->address);
    } else if (!function) {
        const struct merged_mapping *mapping = &merge->mappings[location->mapping];
        sink_plain(sink, base_name(merge_text(merge, mapping->file)));
        sink_printf(sink, "+%#" PRIx64, location->address - mapping->start + mapping->offset);
    } else {
        sink_plain(sink, merge_text(merge, function->name));
        if (location->mapping == 0 && function->filename && line_of(location)->line > 0) {
            sink_puts(sink, " ");
            sink_plain(sink, base_name(merge_text(merge, function->filename)));
            sink_printf(sink, ":%" PRId64, line_of(location)->line);
        }
    }
}

/* "recv < http_read_body http.c:201 < main client.c:30" */
static void write_stack(const struct merge *merge, const struct merged_sample *sample,
                        struct sink *sink)
{
    size_t depth = sample->depth;
    while (depth > 1 && !is_telling(merge, &merge->locations[sample->locations[depth - 1]]))
        depth--;
    size_t left_out = depth > INNERMOST + OUTERMOST + 1 ? depth - INNERMOST - OUTERMOST : 0;
    for (size_t i = 0; i < depth; i++) {
        sink_puts(sink, i > 0 ? " < " : "");
        if (i == INNERMOST && left_out > 0) {
            sink_printf(sink, "(%zu more) < ", left_out);
            i += left_out;
        }
        write_frame(merge, &merge->locations[sample->locations[i]], sink);
    }
}

static struct row *row_of(struct rows *rows, const char *stack)
{
    uint32_t number = strings_add(&rows->stacks, stack);
    if (number == HASH_NONE)
        return NULL;
    while (rows->count <= number) {
        struct row *all =
            array_reserve(&rows->arena, rows->all, &rows->capacity, rows->count, sizeof *all);
        if (!all)
            return NULL;
        rows->all = all;
        all[rows->count] = (struct row){ .stack = rows->stacks.all[rows->count].text };
        rows->count++;
    }
    return &rows->all[number];
}

static int gather(const struct diff_table *table, struct rows *rows)
{
    struct sink_buffer stack;
    int status = strings_init(&rows->stacks, &rows->arena) ? 0 : -ENOMEM;
    sink_buffer_init(&stack);
    for (size_t i = 0; status == 0 && i < table->merge->sample_count; i++) {
        const struct merged_sample *sample = &table->merge->samples[i];
        stack.length = 0;
        write_stack(table->merge, sample, &stack.sink);
        struct row *row = stack.sink.error ? NULL : row_of(rows, stack.length ? stack.bytes : "");
        if (!row) {
            status = -ENOMEM;
            break;
        }
        row->before = (int64_t)((uint64_t)row->before + (uint64_t)sample->before[table->type]);
        row->now = (int64_t)((uint64_t)row->now + (uint64_t)sample->now[table->type]);
    }
    sink_buffer_free(&stack);
    return status;
}

/* What grew most first, what shrank most last; what is equal by name. */
static int compare_rows(const void *left, const void *right)
{
    int64_t a = growth(left);
    int64_t b = growth(right);
    if (a != b)
        return a > b ? -1 : 1;
    return strcmp(((const struct row *)left)->stack, ((const struct row *)right)->stack);
}

/* VALUE as a person reads it, in the unit it is counted in. */
static void write_value(struct sink *sink, int64_t value, const char *unit)
{
    uint64_t size = size_of(value);
    sink_puts(sink, value < 0 ? "-" : "");
    if (strcmp(unit, "nanoseconds") == 0) {
        sink_duration(sink, size);
    } else if (strcmp(unit, "bytes") == 0 && size >= 10 << 10) {
        static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        size_t step = 0;
        double shown = (double)size / 1024;
        for (; shown >= 1024 && step < 5; step++)
            shown /= 1024;
        sink_printf(sink, "%.*f %s", shown < 10 ? 1 : 0, shown, names[step]);
    } else {
        sink_printf(sink, "%" PRIu64 "%s", size, strcmp(unit, "bytes") == 0 ? " B" : "");
    }
}

/* A value on the right of a column. */
static void write_column(struct sink *sink, int64_t value, const char *unit, bool with_sign)
{
    struct sink_buffer words;
    sink_buffer_init(&words);
    if (with_sign && value > 0)
        sink_puts(&words.sink, "+");
    write_value(&words.sink, value, unit);
    sink_printf(sink, "%10s", words.bytes ? words.bytes : "");
    sink_buffer_free(&words);
}

static void write_time(struct sink *sink, int64_t time_ns)
{
    char words[64] = "an unknown time";
    time_t seconds = (time_t)(time_ns / 1000000000);
    struct tm parts;
    if (time_ns > 0 && gmtime_r(&seconds, &parts))
        strftime(words, sizeof words, "%Y-%m-%dT%H:%M:%SZ", &parts);
    sink_puts(sink, words);
}

/* "threads: 108 now, 26 before (+82), in 5 min from … to …" */
static void write_head(const struct diff_table *table, const struct rows *rows, struct sink *sink)
{
    const struct merged_type *type = &table->merge->types[table->type];
    const char *unit = merge_text(table->merge, type->unit);
    struct row sum = { .stack = "" };
    for (size_t i = 0; i < rows->count; i++) {
        sum.before = (int64_t)((uint64_t)sum.before + (uint64_t)rows->all[i].before);
        sum.now = (int64_t)((uint64_t)sum.now + (uint64_t)rows->all[i].now);
    }
    sink_plain(sink, merge_text(table->merge, type->type));
    sink_puts(sink, ": ");
    write_value(sink, sum.now, unit);
    sink_puts(sink, " now, ");
    write_value(sink, sum.before, unit);
    sink_puts(sink, growth(&sum) > 0 ? " before (+" : " before (");
    write_value(sink, growth(&sum), unit);
    sink_puts(sink, ")");
    if (table->time_before > 0 && table->time_now > table->time_before) {
        sink_puts(sink, ", in ");
        sink_duration(sink, (uint64_t)(table->time_now - table->time_before));
    }
    sink_puts(sink, ": from ");
    write_time(sink, table->time_before);
    sink_puts(sink, " to ");
    write_time(sink, table->time_now);
    if (table->instances > 1)
        sink_printf(sink, ", %zu instances", table->instances);
    sink_puts(sink, "\n");
}

static void write_row(const struct diff_table *table, const struct row *row, struct sink *sink)
{
    const char *unit = merge_text(table->merge, table->merge->types[table->type].unit);
    write_column(sink, growth(row), unit, true);
    write_column(sink, row->now, unit, false);
    write_column(sink, row->before, unit, false);
    sink_printf(sink, "  %s\n", *row->stack ? row->stack : "[no stack]");
}

/* COUNT rows that changed in one direction: those that changed most, and how many more there are.
 */
static void write_rows(const struct diff_table *table, const struct row *first, ptrdiff_t step,
                       size_t count, const char *what, struct sink *sink)
{
    size_t shown = table->rows > 0 && table->rows < count ? table->rows : count;
    for (size_t i = 0; i < shown; i++)
        write_row(table, first + step * (ptrdiff_t)i, sink);
    if (shown < count)
        sink_printf(sink, "%zu more stack%s %s by less; --top 0 shows all\n", count - shown,
                    count - shown == 1 ? " has" : "s have", what);
}

int diff_table_write(const struct diff_table *table, struct sink *sink, size_t *grown)
{
    struct rows rows = { 0 };
    size_t shrunk = 0;
    *grown = 0;
    int status = gather(table, &rows);
    if (status == 0) {
        if (rows.count > 1)
            qsort(rows.all, rows.count, sizeof *rows.all, compare_rows);
        for (size_t i = 0; i < rows.count; i++)
            if (size_of(growth(&rows.all[i])) >= table->minimum)
                *(growth(&rows.all[i]) > 0 ? grown : &shrunk) += 1;
        write_head(table, &rows, sink);
        if (*grown + shrunk > 0)
            sink_puts(sink, "\n    change       now    before  stack, innermost function first\n");
        else
            sink_puts(sink, table->minimum > 1 ? "no stack has changed by so much\n"
                                               : "no stack has changed\n");
        write_rows(table, rows.all, 1, *grown, "grown", sink);
        if (shrunk > 0)
            write_rows(table, &rows.all[rows.count - 1], -1, shrunk, "shrunk", sink);
    }
    arena_release(&rows.arena);
    return status;
}
