/* pprof_write.c: what has been merged, as the format wants it; see pprof_merge.h.
 *
 * Only what a sample refers to is written, numbered in the order in which samples come to it, as
 * Go's merge leaves it: `go tool pprof -raw` shows the same lines for both. */
#include "base/sink.h"
#include "collect/pprof_merge.h"
#include "profile/gzip_stream.h"
#include "profile/message.h"

#include <errno.h>
#include <string.h>

struct writer {
    struct merge *merge;
    struct arena arena; /* all that is written is made here */
    Profile profile;
    /* By our number: the id it is written with, 0 while it is not. */
    uint32_t *mapping_ids;
    uint32_t *function_ids;
    uint32_t *location_ids;
    bool no_memory;
};

static void *room(struct writer *writer, size_t count, size_t size)
{
    void *memory = arena_array(&writer->arena, count + 1, size);
    writer->no_memory |= !memory;
    return memory;
}

/* The place of STRING in the table that is written; it is put there when it is first asked for. */
static int64_t text(struct writer *writer, uint32_t string)
{
    struct string *one = &writer->merge->strings.all[string];
    if (string == 0)
        return 0;
    if (one->written == 0) {
        one->written = (uint32_t)writer->profile.n_string_table;
        writer->profile.string_table[writer->profile.n_string_table++] =
            (char *)(uintptr_t)one->text;
    }
    return one->written;
}

static ValueType *value_type(struct writer *writer, struct merged_type from)
{
    ValueType *type = room(writer, 1, sizeof *type);
    if (!type)
        return NULL;
    perftools__profiles__value_type__init(type);
    type->type = text(writer, from.type);
    type->unit = text(writer, from.unit);
    return type;
}

static uint64_t write_mapping(struct writer *writer, uint32_t number)
{
    if (number == NOTHING || writer->mapping_ids[number])
        return number == NOTHING ? 0 : writer->mapping_ids[number];
    const struct merged_mapping *from = &writer->merge->mappings[number];
    Mapping *mapping = room(writer, 1, sizeof *mapping);
    if (!mapping)
        return 0;
    perftools__profiles__mapping__init(mapping);
    writer->profile.mapping[writer->profile.n_mapping++] = mapping;
    writer->mapping_ids[number] = (uint32_t)writer->profile.n_mapping;
    mapping->id = writer->mapping_ids[number];
    mapping->memory_start = from->start;
    mapping->memory_limit = from->limit;
    mapping->file_offset = from->offset;
    mapping->filename = text(writer, from->file);
    mapping->build_id = text(writer, from->build_id);
    mapping->has_functions = from->has_functions;
    mapping->has_filenames = from->has_filenames;
    mapping->has_line_numbers = from->has_line_numbers;
    mapping->has_inline_frames = from->has_inline_frames;
    return mapping->id;
}

static uint64_t write_function(struct writer *writer, uint64_t number)
{
    if (number == NOTHING || writer->function_ids[number])
        return number == NOTHING ? 0 : writer->function_ids[number];
    const struct merged_function *from = &writer->merge->functions[number];
    Function *function = room(writer, 1, sizeof *function);
    if (!function)
        return 0;
    perftools__profiles__function__init(function);
    writer->profile.function[writer->profile.n_function++] = function;
    writer->function_ids[number] = (uint32_t)writer->profile.n_function;
    function->id = writer->function_ids[number];
    function->name = text(writer, from->name);
    function->system_name = text(writer, from->system_name);
    function->filename = text(writer, from->filename);
    function->start_line = from->start_line;
    return function->id;
}

static void write_lines(struct writer *writer, Location *location,
                        const struct merged_location *from)
{
    Line *lines = room(writer, from->line_count, sizeof *lines);
    location->line = room(writer, from->line_count, sizeof *location->line);
    if (!lines || !location->line)
        return;
    for (size_t i = 0; i < from->line_count; i++) {
        perftools__profiles__line__init(&lines[i]);
        lines[i].function_id = write_function(writer, from->lines[i].function);
        lines[i].line = from->lines[i].line;
        lines[i].column = from->lines[i].column;
        location->line[location->n_line++] = &lines[i];
    }
}

static uint64_t write_location(struct writer *writer, uint32_t number)
{
    if (writer->location_ids[number])
        return writer->location_ids[number];
    const struct merged_location *from = &writer->merge->locations[number];
    Location *location = room(writer, 1, sizeof *location);
    if (!location)
        return 0;
    perftools__profiles__location__init(location);
    writer->profile.location[writer->profile.n_location++] = location;
    writer->location_ids[number] = (uint32_t)writer->profile.n_location;
    location->id = writer->location_ids[number];
    location->mapping_id = write_mapping(writer, from->mapping);
    location->address = from->address;
    location->is_folded = from->is_folded;
    write_lines(writer, location, from);
    return location->id;
}

static void write_labels(struct writer *writer, Sample *sample, const struct merged_sample *from)
{
    Label *labels = room(writer, from->label_count, sizeof *labels);
    sample->label = room(writer, from->label_count, sizeof *sample->label);
    if (!labels || !sample->label)
        return;
    for (size_t i = 0; i < from->label_count; i++) {
        perftools__profiles__label__init(&labels[i]);
        labels[i].key = text(writer, from->labels[i].key);
        labels[i].str = text(writer, from->labels[i].text);
        labels[i].num = from->labels[i].number;
        labels[i].num_unit = text(writer, from->labels[i].unit);
        sample->label[sample->n_label++] = &labels[i];
    }
}

static void write_sample(struct writer *writer, const struct merged_sample *from)
{
    Sample *sample = room(writer, 1, sizeof *sample);
    if (!sample)
        return;
    perftools__profiles__sample__init(sample);
    writer->profile.sample[writer->profile.n_sample++] = sample;
    sample->location_id = room(writer, from->depth, sizeof *sample->location_id);
    sample->value = room(writer, writer->merge->type_count, sizeof *sample->value);
    if (!sample->location_id || !sample->value)
        return;
    for (size_t i = 0; i < from->depth; i++)
        sample->location_id[sample->n_location_id++] = write_location(writer, from->locations[i]);
    for (size_t i = 0; i < writer->merge->type_count; i++)
        sample->value[sample->n_value++] = merge_growth(from, i);
    write_labels(writer, sample, from);
}

static void write_header(struct writer *writer)
{
    const struct merge *merge = writer->merge;
    Profile *profile = &writer->profile;
    for (size_t i = 0; i < merge->type_count; i++)
        profile->sample_type[profile->n_sample_type++] = value_type(writer, merge->types[i]);
    for (size_t i = 0; i < merge->comment_count; i++)
        profile->comment[profile->n_comment++] = text(writer, merge->comments[i]);
    if (merge->period_type.type || merge->period_type.unit)
        profile->period_type = value_type(writer, merge->period_type);
    profile->drop_frames = text(writer, merge->drop_frames);
    profile->keep_frames = text(writer, merge->keep_frames);
    profile->default_sample_type = text(writer, merge->default_type);
    profile->doc_url = text(writer, merge->doc_url);
    profile->time_nanos = merge->time_ns;
    profile->duration_nanos = merge->duration_ns;
    profile->period = merge->period;
}

/* Room for as much as there can be of everything. */
static bool begin(struct writer *writer, struct merge *merge)
{
    Profile *profile = &writer->profile;
    *writer = (struct writer){ .merge = merge };
    perftools__profiles__profile__init(profile);
    profile->sample_type = room(writer, merge->type_count, sizeof *profile->sample_type);
    profile->sample = room(writer, merge->sample_count, sizeof *profile->sample);
    profile->mapping = room(writer, merge->mapping_count, sizeof *profile->mapping);
    profile->location = room(writer, merge->location_count, sizeof *profile->location);
    profile->function = room(writer, merge->function_count, sizeof *profile->function);
    profile->string_table = room(writer, merge->strings.count, sizeof *profile->string_table);
    profile->comment = room(writer, merge->comment_count, sizeof *profile->comment);
    writer->mapping_ids = room(writer, merge->mapping_count, sizeof *writer->mapping_ids);
    writer->function_ids = room(writer, merge->function_count, sizeof *writer->function_ids);
    writer->location_ids = room(writer, merge->location_count, sizeof *writer->location_ids);
    if (writer->no_memory)
        return false;
    for (size_t i = 0; i < merge->strings.count; i++)
        merge->strings.all[i].written = 0;
    profile->string_table[profile->n_string_table++] = (char *)(uintptr_t) "";
    return true;
}

static int pack(struct writer *writer, struct sink *sink)
{
    size_t size = perftools__profiles__profile__get_packed_size(&writer->profile);
    unsigned char *bytes = room(writer, size, 1);
    struct gzip_stream stream;
    if (!bytes)
        return -ENOMEM;
    perftools__profiles__profile__pack(&writer->profile, bytes);
    int status = gzip_begin(&stream, &writer->arena, sink);
    gzip_write(&stream, bytes, size);
    int ended = gzip_end(&stream);
    return status ? status : ended;
}

int merge_write(struct merge *merge, struct sink *sink)
{
    struct writer writer;
    int status = begin(&writer, merge) ? 0 : -ENOMEM;
    if (status == 0) {
        write_header(&writer);
        if (merge->mapping_count > 0) /* the main binary, whether a sample is in it or not */
            write_mapping(&writer, 0);
        for (size_t i = 0; i < merge->sample_count; i++)
            if (!merge_is_zero(merge, &merge->samples[i]))
                write_sample(&writer, &merge->samples[i]);
        status = writer.no_memory ? -ENOMEM : pack(&writer, sink);
    }
    arena_release(&writer.arena);
    return status;
}
