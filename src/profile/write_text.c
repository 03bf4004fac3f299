/* write_text.c: debug=1, Go's legacy count format, which pprof still reads.
 *
 *   threads profile: total 3
 *   2 @ 0x401136 0x7f21c9a4
 *   # labels: {"state":"sleeping", "thread":"worker"}
 *   #	0x401135	wait_for_work+0x25	/src/worker.c:17
 *
 * What stands behind @ are return addresses: pprof takes one off each, to
 * land in the call. So an address that is exact is written plus one. A frame that has a
 * name and no address gets a small number in place of one: no code lies in the
 * first pages. */
#include "profile/written.h"

#include "base/sink.h"
#include "modules/modules.h"
#include "symbolize/symbolize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TAB 8u

struct text {
    struct written *written;
    struct sink *sink;
    const struct sample *sample; /* that is being written */
};

/* The address that a frame is looked up by, as shown. */
static uint64_t shown_address(const struct written *written, uint32_t index)
{
    const struct written_location *location = &written->locations[index];
    if (!location->place->named)
        return location->place->address;
    return index - written->address_count + 1; /* the named ones are the last */
}

static size_t hex_width(uint64_t number)
{
    size_t digits = 1;
    while (number >>= 4)
        digits++;
    return digits + strlen("0x");
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80; /* not the inside of one */
    return count;
}

/* As text/tabwriter fills up a cell that is WIDTH wide where the widest of its column is WIDEST. */
static void write_tabs(struct sink *sink, size_t width, size_t widest)
{
    size_t column = (widest + 1 + TAB - 1) / TAB * TAB;
    for (; width < column; width += TAB - width % TAB)
        sink_puts(sink, "\t");
}

/* One line below a stack: a frame, or a function inlined into it. */
struct frame_line {
    uint64_t address;
    const char *function;
    uint64_t offset; /* behind the function's start; with_offset */
    bool with_offset;
    const char *file; /* NULL: none */
    int line;         /* 0: none */
};

static struct frame_line frame_line(const struct text *text, uint32_t index, size_t i)
{
    const struct written_location *location = &text->written->locations[index];
    const struct location *symbols = location->symbols;
    struct frame_line line = { .address = shown_address(text->written, index) };
    if (!symbols) {
        line.function = text->written->profile->strings.all[location->place->name].text;
        return line;
    }
    line.function = symbols->lines[i].function;
    line.with_offset = symbols->has_function;
    line.offset = symbols->function_offset;
    line.file = symbols->lines[i].file;
    line.line = symbols->lines[i].line;
    if (!line.file && symbols->module)
        line.file = symbols->module->path;
    return line;
}

static size_t function_width(const struct frame_line *line)
{
    size_t width = characters(line->function);
    return line->with_offset ? width + strlen("+") + hex_width(line->offset) : width;
}

static void write_frame_line(struct sink *sink, const struct frame_line *line,
                             size_t widest_address, size_t widest_function)
{
    sink_printf(sink, "#\t0x%" PRIx64, line->address);
    write_tabs(sink, hex_width(line->address), widest_address);
    sink_plain(sink, line->function);
    if (line->with_offset)
        sink_printf(sink, "+0x%" PRIx64, line->offset);
    if (line->file) {
        write_tabs(sink, function_width(line), widest_function);
        sink_plain(sink, line->file);
        if (line->line > 0)
            sink_printf(sink, ":%d", line->line);
    }
    sink_puts(sink, "\n");
}

static void write_frames(const struct text *text)
{
    const struct written *written = text->written;
    const struct stack *stack = &written->profile->stacks[text->sample->stack];
    size_t widest_address = 0;
    size_t widest_function = 0;
    for (int writing = 0; writing < 2; writing++) {
        for (size_t depth = 0; depth < stack->depth; depth++) {
            uint32_t index = written->location_of[stack->places[depth]];
            for (size_t i = 0; i < written->locations[index].line_count; i++) {
                struct frame_line line = frame_line(text, index, i);
                size_t address = hex_width(line.address);
                size_t function = line.file ? function_width(&line) : 0;
                widest_address = address > widest_address ? address : widest_address;
                widest_function = function > widest_function ? function : widest_function;
                if (writing)
                    write_frame_line(text->sink, &line, widest_address, widest_function);
            }
        }
    }
    sink_puts(text->sink, "\n");
}

static void write_labels(const struct text *text)
{
    const struct string *strings = text->written->profile->strings.all;
    for (size_t i = 0; i < text->sample->label_count; i++) {
        const struct label *label = &text->sample->labels[i];
        sink_puts(text->sink, i ? ", " : "# labels: {");
        sink_json_string(text->sink, strings[label->key].text);
        sink_puts(text->sink, ":");
        if (label->text)
            sink_json_string(text->sink, strings[label->text].text);
        else
            sink_printf(text->sink, "\"%" PRId64 "%s%s\"", label->number, label->unit ? " " : "",
                        strings[label->unit].text);
    }
    if (text->sample->label_count > 0)
        sink_puts(text->sink, "}\n");
}

static void write_sample(const struct text *text)
{
    const struct written *written = text->written;
    const struct stack *stack = &written->profile->stacks[text->sample->stack];
    sink_printf(text->sink, "%" PRId64 " @", text->sample->values[0]);
    for (size_t i = 0; i < stack->depth; i++)
        sink_printf(text->sink, " 0x%" PRIx64,
                    shown_address(written, written->location_of[stack->places[i]]) + 1);
    sink_puts(text->sink, "\n");
    write_labels(text);
    write_frames(text);
}

/* A sample by its first value. */
struct counted {
    int64_t count;
    size_t position; /* in the order by content */
};

static int largest_first(const void *left, const void *right)
{
    const struct counted *a = left;
    const struct counted *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return (a->position > b->position) - (a->position < b->position);
}

static int write_all(struct written *written, struct sink *sink)
{
    const struct profile *profile = written->profile;
    struct counted *order = arena_array(&written->arena, written->sample_count, sizeof *order);
    if (!order)
        return -ENOMEM;
    int64_t total = 0;
    for (size_t i = 0; i < written->sample_count; i++) {
        order[i] = (struct counted){ profile->samples[written->samples[i]].values[0], i };
        total += order[i].count;
    }
    qsort(order, written->sample_count, sizeof *order, largest_first);
    sink_printf(sink, "%s profile: total %" PRId64 "\n", profile->name, total);
    for (size_t i = 0; i < written->sample_count && !sink->error; i++) {
        struct text text = { written, sink,
                             &profile->samples[written->samples[order[i].position]] };
        write_sample(&text);
    }
    return sink->error;
}

int profile_write_text(struct profile *profile, struct sink *sink)
{
    struct written written;
    int error = written_init(&written, profile);
    if (error == 0)
        error = write_all(&written, sink);
    written_free(&written);
    return error;
}
