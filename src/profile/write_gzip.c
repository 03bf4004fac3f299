/* write_gzip.c: a profile as gzip'd protobuf, never whole in memory.
 *
 * A profile is a sequence of fields: one for each sample, location, string.
 * Each is packed by itself into a small buffer, which goes through gzip into the
 * sink whenever it is full. Fields of one kind may stand anywhere among others; strings
 * come last, as in Go's. */
#include "profile/gzip_stream.h"
#include "profile/written.h"

#include "modules/modules.h"
#include "profile/message.h"

#include <errno.h>
#include <string.h>

#define PACK_SIZE ((size_t)64 << 10)

/* Of message Profile, and what begins a field of bytes of known length. */
enum { SAMPLE_FIELD = 2, MAPPING_FIELD, LOCATION_FIELD, FUNCTION_FIELD, STRING_FIELD };
#define LENGTH_DELIMITED 2u
#define PREFIX_MAX (1 + 5) /* a tag and a 32-bit length */

struct encoder {
    struct written *written;
    struct gzip_stream gzip;
    unsigned char *packed; /* bytes that have not gone to gzip yet */
    size_t length;
    size_t capacity;
    int error;

    /* Room for the parts of one message, each as much as the largest needs. */
    int64_t *comments;
    uint64_t *ids;
    Label *labels;
    Label **label_list;
    Line *lines;
    Line **line_list;
};

static void flush(struct encoder *encoder)
{
    gzip_write(&encoder->gzip, encoder->packed, encoder->length);
    encoder->length = 0;
}

/* Makes room for SIZE more bytes; false without memory. */
static bool reserve(struct encoder *encoder, size_t size)
{
    if (size > encoder->capacity - encoder->length)
        flush(encoder);
    if (size <= encoder->capacity)
        return true;
    unsigned char *larger = arena_alloc(&encoder->written->arena, size);
    if (!larger) {
        encoder->error = -ENOMEM;
        return false;
    }
    encoder->packed = larger;
    encoder->capacity = size;
    return true;
}

/* What stands before the SIZE bytes of FIELD; false without memory for both. */
static bool begin_field(struct encoder *encoder, unsigned field, size_t size)
{
    if (size > UINT32_MAX || !reserve(encoder, PREFIX_MAX + size))
        return false;
    encoder->packed[encoder->length++] = (unsigned char)(field << 3 | LENGTH_DELIMITED);
    size_t rest = size;
    for (; rest >= 0x80; rest >>= 7)
        encoder->packed[encoder->length++] = (unsigned char)(rest | 0x80);
    encoder->packed[encoder->length++] = (unsigned char)rest;
    return true;
}

static void put_message(struct encoder *encoder, unsigned field, const ProtobufCMessage *message)
{
    if (begin_field(encoder, field, protobuf_c_message_get_packed_size(message)))
        encoder->length += protobuf_c_message_pack(message, encoder->packed + encoder->length);
}

/* The fields of the profile itself that HEAD has. */
static void put_head_fields(struct encoder *encoder, const Profile *head)
{
    if (reserve(encoder, perftools__profiles__profile__get_packed_size(head)))
        encoder->length +=
            perftools__profiles__profile__pack(head, encoder->packed + encoder->length);
}

/* A string's number in the table as it is written. */
static int64_t string(const struct encoder *encoder, uint32_t number)
{
    return encoder->written->profile->strings.all[number].written;
}

static ValueType value_type(const struct encoder *encoder, struct value_type type)
{
    ValueType message = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;
    message.type = string(encoder, type.type);
    message.unit = string(encoder, type.unit);
    return message;
}

static void put_head(struct encoder *encoder)
{
    const struct profile *profile = encoder->written->profile;
    ValueType types[TYPES_MAX];
    ValueType *type_list[TYPES_MAX];
    for (size_t i = 0; i < profile->type_count; i++) {
        types[i] = value_type(encoder, profile->types[i]);
        type_list[i] = &types[i];
    }
    ValueType period_type = value_type(encoder, profile->period_type);
    Profile head = PERFTOOLS__PROFILES__PROFILE__INIT;
    head.n_sample_type = profile->type_count;
    head.sample_type = type_list;
    if (profile->type_count > 0)
        head.default_sample_type = types[0].type;
    head.time_nanos = (int64_t)profile->time_ns;
    head.duration_nanos = (int64_t)profile->duration_ns;
    head.period_type = profile->period_type.type ? &period_type : NULL;
    head.period = profile->period;
    head.n_comment = profile->comment_count;
    head.comment = encoder->comments;
    for (size_t i = 0; i < profile->comment_count; i++)
        encoder->comments[i] = string(encoder, profile->comments[i]);
    put_head_fields(encoder, &head);
}

static void put_sample(struct encoder *encoder, const struct sample *sample)
{
    const struct profile *profile = encoder->written->profile;
    const struct stack *stack = &profile->stacks[sample->stack];
    for (size_t i = 0; i < stack->depth; i++)
        encoder->ids[i] = encoder->written->location_of[stack->places[i]] + UINT64_C(1);
    for (size_t i = 0; i < sample->label_count; i++) {
        const struct label *label = &sample->labels[i];
        Label *message = &encoder->labels[i];
        message->key = string(encoder, label->key);
        message->str = string(encoder, label->text);
        message->num = label->number;
        message->num_unit = string(encoder, label->unit);
    }
    Sample message = PERFTOOLS__PROFILES__SAMPLE__INIT;
    message.n_location_id = stack->depth;
    message.location_id = encoder->ids;
    message.n_value = profile->type_count;
    message.value = (int64_t *)(uintptr_t)sample->values;
    message.n_label = sample->label_count;
    message.label = encoder->label_list;
    put_message(encoder, SAMPLE_FIELD, &message.base);
}

static void put_mapping(struct encoder *encoder, size_t index)
{
    const struct written_mapping *mapping = &encoder->written->mappings[index];
    Mapping message = PERFTOOLS__PROFILES__MAPPING__INIT;
    message.id = index + 1;
    message.memory_start = mapping->module->start;
    message.memory_limit = mapping->module->end;
    message.file_offset = mapping->module->file_offset;
    message.filename = string(encoder, mapping->path);
    message.build_id = string(encoder, mapping->build_id);
    message.has_functions = mapping->has_functions;
    message.has_filenames = mapping->has_filenames;
    message.has_line_numbers = mapping->has_line_numbers;
    message.has_inline_frames = mapping->has_inline_frames;
    put_message(encoder, MAPPING_FIELD, &message.base);
}

static void put_location(struct encoder *encoder, size_t index)
{
    const struct written_location *location = &encoder->written->locations[index];
    for (size_t i = 0; i < location->line_count; i++) {
        encoder->lines[i].function_id = location->lines[i].function + UINT64_C(1);
        encoder->lines[i].line = location->lines[i].line;
    }
    Location message = PERFTOOLS__PROFILES__LOCATION__INIT;
    message.id = index + 1;
    message.mapping_id = location->mapping == HASH_NONE ? 0 : location->mapping + UINT64_C(1);
    message.address = location->place->address;
    message.n_line = location->line_count;
    message.line = encoder->line_list;
    put_message(encoder, LOCATION_FIELD, &message.base);
}

static void put_function(struct encoder *encoder, size_t index)
{
    const struct written_function *function = &encoder->written->functions[index];
    Function message = PERFTOOLS__PROFILES__FUNCTION__INIT;
    message.id = index + 1;
    message.name = string(encoder, function->name);
    message.system_name = string(encoder, function->system_name);
    message.filename = string(encoder, function->file);
    message.start_line = function->start_line;
    put_message(encoder, FUNCTION_FIELD, &message.base);
}

static void put_string(struct encoder *encoder, uint32_t number)
{
    const struct string *text = &encoder->written->profile->strings.all[number];
    if (!begin_field(encoder, STRING_FIELD, text->length))
        return;
    memcpy(encoder->packed + encoder->length, text->text, text->length);
    encoder->length += text->length;
}

/* Makes room for the deepest stack, the most labels, the most inlined lines. */
static bool make_room(struct encoder *encoder)
{
    struct written *written = encoder->written;
    size_t depth = 0;
    size_t labels = 0;
    size_t lines = 0;
    for (size_t i = 0; i < written->sample_count; i++) {
        const struct sample *sample = &written->profile->samples[written->samples[i]];
        size_t this_depth = written->profile->stacks[sample->stack].depth;
        depth = this_depth > depth ? this_depth : depth;
        labels = sample->label_count > labels ? sample->label_count : labels;
    }
    for (size_t i = 0; i < written->location_count; i++)
        if (written->locations[i].line_count > lines)
            lines = written->locations[i].line_count;
    encoder->capacity = PACK_SIZE;
    encoder->packed = arena_alloc(&written->arena, PACK_SIZE);
    encoder->comments =
        arena_array(&written->arena, written->profile->comment_count, sizeof *encoder->comments);
    encoder->ids = arena_array(&written->arena, depth, sizeof *encoder->ids);
    encoder->labels = arena_array(&written->arena, labels, sizeof *encoder->labels);
    encoder->label_list = arena_array(&written->arena, labels, sizeof *encoder->label_list);
    encoder->lines = arena_array(&written->arena, lines, sizeof *encoder->lines);
    encoder->line_list = arena_array(&written->arena, lines, sizeof *encoder->line_list);
    if (!encoder->packed || !encoder->comments || !encoder->ids || !encoder->labels ||
        !encoder->label_list || !encoder->lines || !encoder->line_list)
        return false;
    for (size_t i = 0; i < labels; i++) {
        perftools__profiles__label__init(&encoder->labels[i]);
        encoder->label_list[i] = &encoder->labels[i];
    }
    for (size_t i = 0; i < lines; i++) {
        perftools__profiles__line__init(&encoder->lines[i]);
        encoder->line_list[i] = &encoder->lines[i];
    }
    return true;
}

static void put_all(struct encoder *encoder)
{
    const struct written *written = encoder->written;
    put_head(encoder);
    for (size_t i = 0; i < written->sample_count; i++)
        put_sample(encoder, &written->profile->samples[written->samples[i]]);
    for (size_t i = 0; i < written->mapping_count; i++)
        put_mapping(encoder, i);
    for (size_t i = 0; i < written->location_count; i++)
        put_location(encoder, i);
    for (size_t i = 0; i < written->function_count; i++)
        put_function(encoder, i);
    for (size_t i = 0; i < written->string_count; i++)
        put_string(encoder, written->strings[i]);
    flush(encoder);
}

int profile_write_gzip(struct profile *profile, struct sink *sink)
{
    struct written written;
    int error = written_init(&written, profile);
    if (error == 0) {
        struct encoder encoder = { .written = &written };
        error = gzip_begin(&encoder.gzip, &written.arena, sink);
        if (error == 0) {
            if (make_room(&encoder))
                put_all(&encoder);
            else
                encoder.error = -ENOMEM;
            error = gzip_end(&encoder.gzip);
            error = encoder.error ? encoder.error : error;
        }
    }
    written_free(&written);
    return error;
}
