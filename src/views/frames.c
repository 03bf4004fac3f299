/* frames.c: a stack in words; see frames.h.
 *
 * Names that others chose (functions, files) go out by sink_plain: an escape
 * sequence in one must not reach the operator's terminal. In JSON, addresses are strings:
 * its readers lose the low bits of 64-bit numbers. */
#include "views/frames.h"

#include "base/sink.h"
#include "base/stack.h"
#include "modules/modules.h"
#include "symbolize/symbolize.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define NAME_SHOWN 400u /* bytes; longer ones are those of templates */
#define NAME_PART 180u

/* What is read by eye has the beginning and the end of a name that would fill a screen. */
static void write_function(struct sink *sink, const char *name)
{
    char part[NAME_PART + 1];
    size_t length = strlen(name);
    if (length <= NAME_SHOWN) {
        sink_plain(sink, name);
        return;
    }
    memcpy(part, name, NAME_PART);
    part[NAME_PART] = 0;
    sink_plain(sink, part);
    sink_printf(sink, " [%zu bytes] ", length - (size_t)2 * NAME_PART);
    sink_plain(sink, name + length - NAME_PART);
}

static void write_line(struct sink *sink, const struct location *location, size_t index,
                       int with_addresses)
{
    const struct source_line *line = &location->lines[index];
    write_function(sink, line->function);
    if (with_addresses && location->has_function && index + 1 == location->line_count)
        sink_printf(sink, "+0x%" PRIx64, location->function_offset);
    if (line->file) {
        sink_puts(sink, " at ");
        sink_plain(sink, line->file);
        if (line->line > 0)
            sink_printf(sink, ":%d", line->line);
    } else if (location->module && location->has_function) {
        sink_puts(sink, " in ");
        sink_plain(sink, module_name(location->module));
    }
    sink_puts(sink, index + 1 < location->line_count ? " (inlined)\n" : "\n");
}

void frames_write(struct sink *sink, const uint64_t *frames, size_t count,
                  struct symbolizer *symbolizer, const char *indent, int with_addresses)
{
    for (size_t i = 0; i < count; i++) {
        const struct location *location = symbolize(symbolizer, frame_lookup(frames[i]));
        for (size_t l = 0; l < location->line_count; l++) {
            sink_printf(sink, "%s#%-3zu ", indent, i);
            if (with_addresses)
                sink_printf(sink, "0x%016" PRIx64 " ", frame_address(frames[i]));
            write_line(sink, location, l, with_addresses);
        }
    }
}

/* std::thread, std::ifstream and what they stand on. */
static bool is_standard_library(const struct source_line *line)
{
    return line->file ? strstr(line->file, "/include/c++/") != NULL
                      : strncmp(line->function, "std::", strlen("std::")) == 0;
}

/* NULL without frames. */
static const struct source_line *place_of(const uint64_t *frames, size_t count,
                                          struct symbolizer *symbolizer)
{
    const struct source_line *first = NULL; /* for where there is nothing better */
    bool first_is_ours = true;
    for (size_t i = 0; i < count; i++) {
        const struct location *location = symbolize(symbolizer, frame_lookup(frames[i]));
        bool is_ours =
            location->module && strncmp(module_name(location->module), "libsnag", 7) == 0;
        if (first_is_ours)
            first = &location->lines[0];
        first_is_ours = first_is_ours && is_ours;
        for (size_t l = 0; l < location->line_count && !is_ours; l++)
            if (!is_standard_library(&location->lines[l]))
                return &location->lines[l];
    }
    return first;
}

void frames_write_place(struct sink *sink, const uint64_t *frames, size_t count,
                        struct symbolizer *symbolizer)
{
    const struct source_line *line = place_of(frames, count, symbolizer);
    if (!line) {
        sink_puts(sink, "unknown");
        return;
    }
    sink_plain(sink, line->function);
    if (!line->file)
        return;
    const char *slash = strrchr(line->file, '/');
    sink_puts(sink, " at ");
    sink_plain(sink, slash ? slash + 1 : line->file);
    if (line->line > 0)
        sink_printf(sink, ":%d", line->line);
}

static void write_json(struct sink *sink, uint64_t frame, struct symbolizer *symbolizer)
{
    const struct location *location = symbolize(symbolizer, frame_lookup(frame));
    for (size_t i = 0; i < location->line_count; i++) {
        const struct source_line *line = &location->lines[i];
        sink_printf(sink, "%s\n    {\"address\": \"0x%" PRIx64 "\", \"module\": ", i ? "," : "",
                    frame_address(frame));
        sink_json_string(sink, location->module ? location->module->path : NULL);
        sink_puts(sink, ", \"function\": ");
        sink_json_string(sink, line->function);
        sink_puts(sink, ", \"file\": ");
        sink_json_string(sink, line->file);
        if (line->line > 0)
            sink_printf(sink, ", \"line\": %d", line->line);
        else
            sink_puts(sink, ", \"line\": null");
        sink_printf(sink, ", \"inlined\": %s}", i + 1 < location->line_count ? "true" : "false");
    }
}

void frames_write_json(struct sink *sink, const uint64_t *frames, size_t count,
                       struct symbolizer *symbolizer)
{
    sink_puts(sink, "[");
    for (size_t i = 0; i < count; i++) {
        sink_puts(sink, i ? "," : "");
        write_json(sink, frames[i], symbolizer);
    }
    sink_puts(sink, "]");
}
