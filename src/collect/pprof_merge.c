/* pprof_merge.c: samples, locations, functions and mappings of several profiles, each once; see
 * pprof_merge.h.
 *
 * A profile's own numbers are forgotten on the way: `struct source` remembers which of ours
 * each of its things became, so that a location is looked at once, however many samples pass it. */
#include "collect/pprof_merge.h"

#include "profile/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct source {
    const struct pprof *pprof;
    bool is_base;
    /* By place in the message: our number, NOTHING where it has not been seen. */
    uint32_t *mappings;
    uint32_t *functions;
    uint32_t *locations;
    struct arena arena; /* of these, and of keys */
    /* Room for the key of one sample. */
    uint32_t *stack;
    size_t stack_capacity;
    struct merged_label *labels;
    size_t label_capacity;
};

const char *merge_text(const struct merge *merge, uint32_t string)
{
    return merge->strings.all[string].text;
}

uint32_t merge_string(struct merge *merge, const char *text)
{
    uint32_t string = strings_add(&merge->strings, text);
    merge->no_memory |= string == HASH_NONE;
    return string == HASH_NONE ? 0 : string;
}

static uint32_t text_of(struct merge *merge, const struct pprof *pprof, int64_t index)
{
    return merge_string(merge, pprof_text(pprof, index));
}

/* Go's rule: sizes up to the next page, for tools that disagree on where a mapping ends. */
static uint64_t pages(const struct merged_mapping *mapping)
{
    return (mapping->limit - mapping->start + 0xfff) & ~UINT64_C(0xfff);
}

static uint32_t mapping_name(const struct merged_mapping *mapping)
{
    return mapping->build_id ? mapping->build_id : mapping->file;
}

static bool same_mapping(const void *within, uint32_t entry, const void *key)
{
    const struct merged_mapping *kept = &((const struct merge *)within)->mappings[entry];
    const struct merged_mapping *wanted = key;
    return pages(kept) == pages(wanted) && kept->offset == wanted->offset &&
           mapping_name(kept) == mapping_name(wanted);
}

static uint32_t map_mapping(struct merge *merge, struct source *source, uint64_t id)
{
    uint32_t place = pprof_find_mapping(source->pprof, id);
    if (place == HASH_NONE || source->mappings[place] != NOTHING)
        return place == HASH_NONE ? NOTHING : source->mappings[place];
    const Mapping *from = source->pprof->message->mapping[place];
    struct merged_mapping mapping = {
        .start = from->memory_start,
        .limit = from->memory_limit,
        .offset = from->file_offset,
        .file = text_of(merge, source->pprof, from->filename),
        .build_id = text_of(merge, source->pprof, from->build_id),
        .has_functions = from->has_functions,
        .has_filenames = from->has_filenames,
        .has_line_numbers = from->has_line_numbers,
        .has_inline_frames = from->has_inline_frames,
    };
    uint64_t hash = hash_word(hash_word(pages(&mapping), mapping.offset), mapping_name(&mapping));
    uint32_t number = hash_index_find(&merge->mapping_index, hash, same_mapping, merge, &mapping);
    if (number == HASH_NONE) {
        struct merged_mapping *all =
            array_reserve(&merge->arena, merge->mappings, &merge->mapping_capacity,
                          merge->mapping_count, sizeof *all);
        number = (uint32_t)merge->mapping_count;
        if (!all || !hash_index_insert(&merge->mapping_index, &merge->arena, hash, number)) {
            merge->no_memory = true;
            return NOTHING;
        }
        merge->mappings = all;
        merge->mappings[merge->mapping_count++] = mapping;
    }
    return source->mappings[place] = number;
}

static bool same_function(const void *within, uint32_t entry, const void *key)
{
    return memcmp(&((const struct merge *)within)->functions[entry], key,
                  sizeof(struct merged_function)) == 0;
}

/* False without memory. ID 0 is no function. */
static bool map_function(struct merge *merge, struct source *source, uint64_t id, uint64_t *number)
{
    uint32_t place = pprof_find_function(source->pprof, id);
    *number = place == HASH_NONE ? NOTHING : source->functions[place];
    if (place == HASH_NONE || *number != NOTHING)
        return true;
    const Function *from = source->pprof->message->function[place];
    struct merged_function function = {
        .start_line = from->start_line,
        .name = text_of(merge, source->pprof, from->name),
        .system_name = text_of(merge, source->pprof, from->system_name),
        .filename = text_of(merge, source->pprof, from->filename),
    };
    uint64_t hash = hash_bytes(0, &function, sizeof function);
    uint32_t found = hash_index_find(&merge->function_index, hash, same_function, merge, &function);
    if (found == HASH_NONE) {
        struct merged_function *all =
            array_reserve(&merge->arena, merge->functions, &merge->function_capacity,
                          merge->function_count, sizeof *all);
        found = (uint32_t)merge->function_count;
        if (!all || !hash_index_insert(&merge->function_index, &merge->arena, hash, found))
            return false;
        merge->functions = all;
        merge->functions[merge->function_count++] = function;
    }
    *number = source->functions[place] = found;
    return true;
}

static bool same_location(const void *within, uint32_t entry, const void *key)
{
    const struct merged_location *kept = &((const struct merge *)within)->locations[entry];
    const struct merged_location *wanted = key;
    return kept->address == wanted->address && kept->mapping == wanted->mapping &&
           kept->is_folded == wanted->is_folded && kept->line_count == wanted->line_count &&
           memcmp(kept->lines, wanted->lines, kept->line_count * sizeof *kept->lines) == 0;
}

static uint32_t location_number(struct merge *merge, const struct merged_location *location)
{
    uint64_t hash = hash_word(hash_word(location->mapping, location->address),
                              location->line_count * 2 + location->is_folded);
    hash = hash_bytes(hash, location->lines, location->line_count * sizeof *location->lines);
    uint32_t number = hash_index_find(&merge->location_index, hash, same_location, merge, location);
    if (number != HASH_NONE)
        return number;
    struct merged_location *all =
        array_reserve(&merge->arena, merge->locations, &merge->location_capacity,
                      merge->location_count, sizeof *all);
    number = (uint32_t)merge->location_count;
    if (!all || !hash_index_insert(&merge->location_index, &merge->arena, hash, number))
        return NOTHING;
    merge->locations = all;
    merge->locations[merge->location_count++] = *location;
    return number;
}

/* NOTHING without memory; the check has seen to it that there is such a location. */
static uint32_t map_location(struct merge *merge, struct source *source, uint64_t id)
{
    uint32_t place = pprof_find_location(source->pprof, id);
    if (source->locations[place] != NOTHING)
        return source->locations[place];
    const Location *from = source->pprof->message->location[place];
    struct merged_line *lines = arena_array(&merge->arena, from->n_line + 1, sizeof *lines);
    struct merged_location location = {
        .address = from->address,
        .lines = lines,
        .line_count = from->n_line,
        .mapping = map_mapping(merge, source, from->mapping_id),
        .is_folded = from->is_folded,
    };
    if (!lines)
        return NOTHING;
    if (location.mapping != NOTHING) /* as if it had been mapped where the first one was */
        location.address +=
            merge->mappings[location.mapping].start -
            source->pprof->message->mapping[pprof_find_mapping(source->pprof, from->mapping_id)]
                ->memory_start;
    for (size_t i = 0; i < from->n_line; i++) {
        lines[i].line = from->line[i]->line;
        lines[i].column = from->line[i]->column;
        if (!map_function(merge, source, from->line[i]->function_id, &lines[i].function))
            return NOTHING;
    }
    return source->locations[place] = location_number(merge, &location);
}

static bool same_sample(const void *within, uint32_t entry, const void *key)
{
    const struct merged_sample *kept = &((const struct merge *)within)->samples[entry];
    const struct merged_sample *wanted = key;
    return kept->depth == wanted->depth && kept->label_count == wanted->label_count &&
           memcmp(kept->locations, wanted->locations, kept->depth * sizeof *kept->locations) == 0 &&
           memcmp(kept->labels, wanted->labels, kept->label_count * sizeof *kept->labels) == 0;
}

/* Texts before numbers, by key; values of one key keep their order, which means something. */
static int compare_labels(const void *left, const void *right)
{
    const struct merged_label *a = left;
    const struct merged_label *b = right;
    if ((a->text == 0) != (b->text == 0))
        return a->text == 0 ? 1 : -1;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* The labels of FROM in one order, in source->labels; false without memory. One without a value
 * is none. */
static bool gather_labels(struct merge *merge, struct source *source, const Sample *from,
                          size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < from->n_label; i++) {
        const Label *label = from->label[i];
        if (label->str == 0 && label->num == 0 && label->num_unit == 0)
            continue;
        struct merged_label *labels =
            array_reserve(&source->arena, source->labels, &source->label_capacity, *count,
                          sizeof *labels);
        if (!labels)
            return false;
        source->labels = labels;
        struct merged_label one = {
            .key = text_of(merge, source->pprof, label->key),
            .text = text_of(merge, source->pprof, label->str),
            .order = (uint32_t)*count,
        };
        if (one.text == 0) {
            one.number = label->num;
            one.unit = text_of(merge, source->pprof, label->num_unit);
        }
        labels[(*count)++] = one;
    }
    if (*count > 1)
        qsort(source->labels, *count, sizeof *source->labels, compare_labels);
    for (size_t i = 0; i < *count; i++)
        source->labels[i].order = 0;
    return true;
}

static bool gather_stack(struct merge *merge, struct source *source, const Sample *from)
{
    for (size_t i = 0; i < from->n_location_id; i++) {
        uint32_t *stack =
            array_reserve(&source->arena, source->stack, &source->stack_capacity, i, sizeof *stack);
        uint32_t number = map_location(merge, source, from->location_id[i]);
        if (!stack || number == NOTHING)
            return false;
        source->stack = stack;
        stack[i] = number;
    }
    return true;
}

static struct merged_sample *sample_new(struct merge *merge, const struct merged_sample *key,
                                        uint64_t hash)
{
    struct merged_sample *all =
        array_reserve(&merge->arena, merge->samples, &merge->sample_capacity, merge->sample_count,
                      sizeof *all);
    uint32_t *locations = arena_array(&merge->arena, key->depth + 1, sizeof *locations);
    struct merged_label *labels = arena_array(&merge->arena, key->label_count + 1, sizeof *labels);
    int64_t *values = arena_array(&merge->arena, merge->type_count, 2 * sizeof *values);
    if (!all || !locations || !labels || !values ||
        !hash_index_insert(&merge->sample_index, &merge->arena, hash,
                           (uint32_t)merge->sample_count))
        return NULL;
    if (key->depth > 0)
        memcpy(locations, key->locations, key->depth * sizeof *locations);
    if (key->label_count > 0)
        memcpy(labels, key->labels, key->label_count * sizeof *labels);
    merge->samples = all;
    all[merge->sample_count] = (struct merged_sample){
        .locations = locations,
        .depth = key->depth,
        .labels = labels,
        .label_count = key->label_count,
        .before = values,
        .now = values + merge->type_count,
    };
    return &all[merge->sample_count++];
}

static bool is_zero(const Sample *sample)
{
    for (size_t i = 0; i < sample->n_value; i++)
        if (sample->value[i] != 0)
            return false;
    return true;
}

static int add_sample(struct merge *merge, struct source *source, const Sample *from)
{
    struct merged_sample key = { .depth = from->n_location_id };
    if (is_zero(from))
        return 0;
    if (!gather_stack(merge, source, from) || !gather_labels(merge, source, from, &key.label_count))
        return -ENOMEM;
    static const uint32_t no_stack[1];
    static const struct merged_label no_labels[1];
    key.locations = key.depth > 0 ? source->stack : no_stack;
    key.labels = key.label_count > 0 ? source->labels : no_labels;
    uint64_t hash = hash_bytes(0, key.locations, key.depth * sizeof *key.locations);
    hash = hash_bytes(hash, key.labels, key.label_count * sizeof *key.labels);
    uint32_t number = hash_index_find(&merge->sample_index, hash, same_sample, merge, &key);
    struct merged_sample *sample =
        number == HASH_NONE ? sample_new(merge, &key, hash) : &merge->samples[number];
    if (!sample)
        return -ENOMEM;
    int64_t *values = source->is_base ? sample->before : sample->now;
    for (size_t i = 0; i < merge->type_count; i++)
        values[i] = (int64_t)((uint64_t)values[i] + (uint64_t)from->value[i]);
    return 0;
}

/* COUNT places, none of them seen yet. */
static uint32_t *places(struct source *source, size_t count)
{
    uint32_t *all = arena_array(&source->arena, count + 1, sizeof *all);
    if (all)
        memset(all, 0xff, count * sizeof *all); /* NOTHING */
    return all;
}

int merge_add_samples(struct merge *merge, const struct pprof *pprof, bool is_base)
{
    const Profile *message = pprof->message;
    struct source source = { .pprof = pprof, .is_base = is_base };
    source.mappings = places(&source, message->n_mapping);
    source.functions = places(&source, message->n_function);
    source.locations = places(&source, message->n_location);
    int status = source.mappings && source.functions && source.locations ? 0 : -ENOMEM;
    /* The first mapping is the main binary, and stays the first. */
    if (status == 0 && merge->mapping_count == 0 && message->n_mapping > 0)
        map_mapping(merge, &source, message->mapping[0]->id);
    for (size_t i = 0; status == 0 && i < message->n_sample; i++)
        status = add_sample(merge, &source, message->sample[i]);
    arena_release(&source.arena);
    return status == 0 && merge->no_memory ? -ENOMEM : status;
}
