/* profile.c: samples merged as they come; see profile.h.
 *
 * The way of one sample: its stack is looked up by its frames, its labels
 * become numbers in a fixed order, and the pair of both finds the sample whose values
 * grow. Nothing is symbolized here: a name is asked for once per address, when
 * the profile is written. */
#include "profile/profile.h"

#include "base/stack.h"
#include "profile/builder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct profile *profile_new(const char *name, const struct modules *modules,
                            struct symbolizer *symbolizer)
{
    struct arena arena = ARENA_INIT;
    struct profile *profile = arena_alloc(&arena, sizeof *profile);
    if (!profile)
        return NULL;
    profile->modules = modules;
    profile->symbolizer = symbolizer;
    profile->name = arena_strdup(&arena, name);
    profile->arena = arena;
    if (profile->name && strings_init(&profile->strings, &profile->arena))
        return profile;
    profile_free(profile);
    return NULL;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    struct arena arena = profile->arena; /* it holds the profile itself */
    arena_release(&arena);
}

static void fail(struct profile *profile, int error)
{
    if (!profile->error)
        profile->error = error;
}

uint32_t profile_string(struct profile *profile, const char *text)
{
    uint32_t number = strings_add(&profile->strings, text);
    if (number != HASH_NONE)
        return number;
    fail(profile, -ENOMEM);
    return 0;
}

void profile_add_type(struct profile *profile, const char *type, const char *unit)
{
    if (profile->type_count == TYPES_MAX || profile->sample_count > 0) {
        fail(profile, -EINVAL);
        return;
    }
    profile->types[profile->type_count++] = (struct value_type){
        .type = profile_string(profile, type),
        .unit = profile_string(profile, unit),
    };
}

const char *profile_type_unit(const struct profile *profile, size_t index)
{
    return index < profile->type_count ? profile->strings.all[profile->types[index].unit].text : "";
}

void profile_set_period(struct profile *profile, const char *type, const char *unit, int64_t period)
{
    profile->period_type.type = profile_string(profile, type);
    profile->period_type.unit = profile_string(profile, unit);
    profile->period = period;
}

void profile_set_time(struct profile *profile, uint64_t time_ns, uint64_t duration_ns)
{
    profile->time_ns = time_ns;
    profile->duration_ns = duration_ns;
}

void profile_add_comment(struct profile *profile, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    uint32_t *comments =
        array_reserve(&profile->arena, profile->comments, &profile->comment_capacity,
                      profile->comment_count, sizeof *comments);
    char *text = length < 0 ? NULL : arena_alloc(&profile->arena, (size_t)length + 1);
    if (!comments || !text) {
        fail(profile, -ENOMEM);
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    profile->comments = comments;
    comments[profile->comment_count++] = profile_string(profile, text);
}

static bool same_place(const struct place *a, const struct place *b)
{
    return a->address == b->address && a->name == b->name && a->named == b->named;
}

static bool place_equal(const void *within, uint32_t entry, const void *key)
{
    return same_place(&((const struct profile *)within)->places[entry], key);
}

static uint32_t place_add(struct profile *profile, struct place place)
{
    uint64_t hash = hash_word(hash_word(0, place.address), (uint64_t)place.name << 1 | place.named);
    uint32_t found = hash_index_find(&profile->place_index, hash, place_equal, profile, &place);
    if (found != HASH_NONE)
        return found;
    struct place *places = array_reserve(&profile->arena, profile->places, &profile->place_capacity,
                                         profile->place_count, sizeof *places);
    uint32_t number = (uint32_t)profile->place_count;
    if (!places || !hash_index_insert(&profile->place_index, &profile->arena, hash, number)) {
        fail(profile, -ENOMEM);
        return HASH_NONE;
    }
    profile->places = places;
    places[profile->place_count++] = place;
    return number;
}

/* A stack as it is asked for: either of frames or of names. */
struct stack_key {
    const uint64_t *frames;
    const uint32_t *names; /* strings */
    size_t depth;
};

static struct place place_of(const struct stack_key *key, size_t i)
{
    if (key->names)
        return (struct place){ .named = true, .name = key->names[i] };
    return (struct place){ .address = frame_lookup(key->frames[i]) };
}

static bool stack_equal(const void *within, uint32_t entry, const void *wanted)
{
    const struct profile *profile = within;
    const struct stack *stack = &profile->stacks[entry];
    const struct stack_key *key = wanted;
    if (stack->depth != key->depth)
        return false;
    for (size_t i = 0; i < key->depth; i++) {
        struct place place = place_of(key, i);
        if (!same_place(&profile->places[stack->places[i]], &place))
            return false;
    }
    return true;
}

static uint64_t stack_hash(const struct stack_key *key)
{
    uint64_t hash = hash_word(0, key->depth);
    for (size_t i = 0; i < key->depth; i++) {
        struct place place = place_of(key, i);
        hash = hash_word(hash, place.named ? ~(uint64_t)place.name : place.address);
    }
    return hash;
}

/* The number of the stack, added when new; HASH_NONE without memory. */
static uint32_t stack_add(struct profile *profile, const struct stack_key *key)
{
    uint64_t hash = stack_hash(key);
    uint32_t found = hash_index_find(&profile->stack_index, hash, stack_equal, profile, key);
    if (found != HASH_NONE)
        return found;
    uint32_t *places = arena_array(&profile->arena, key->depth, sizeof *places);
    for (size_t i = 0; places && i < key->depth; i++)
        places[i] = place_add(profile, place_of(key, i));
    struct stack *stacks = array_reserve(&profile->arena, profile->stacks, &profile->stack_capacity,
                                         profile->stack_count, sizeof *stacks);
    uint32_t number = (uint32_t)profile->stack_count;
    if (!places || !stacks || profile->error ||
        !hash_index_insert(&profile->stack_index, &profile->arena, hash, number)) {
        fail(profile, -ENOMEM);
        return HASH_NONE;
    }
    profile->stacks = stacks;
    stacks[profile->stack_count++] = (struct stack){ .places = places, .depth = key->depth };
    return number;
}

static int label_compare(const struct profile *profile, const struct label *a,
                         const struct label *b)
{
    int order = strings_compare(&profile->strings, a->key, b->key);
    if (order == 0)
        order = strings_compare(&profile->strings, a->text, b->text);
    if (order == 0)
        order = (a->number > b->number) - (a->number < b->number);
    return order ? order : strings_compare(&profile->strings, a->unit, b->unit);
}

/* Fills profile->scratch with LABELS in order; returns how many. */
static size_t labels_read(struct profile *profile, const struct profile_label *labels, size_t count)
{
    if (count > profile->scratch_capacity) {
        profile->scratch = arena_array(&profile->arena, count, sizeof *profile->scratch);
        profile->scratch_capacity = profile->scratch ? count : 0;
        if (!profile->scratch)
            fail(profile, -ENOMEM);
    }
    size_t used = 0;
    for (size_t i = 0; i < count && profile->scratch; i++) {
        /* An empty text cannot be told from the number 0 in the format. */
        if (labels[i].text && !*labels[i].text)
            continue;
        struct label label = {
            .key = profile_string(profile, labels[i].key),
            .text = profile_string(profile, labels[i].text),
            .number = labels[i].text ? 0 : labels[i].number,
            .unit = labels[i].text ? 0 : profile_string(profile, labels[i].unit),
        };
        size_t at = used++;
        for (; at > 0 && label_compare(profile, &label, &profile->scratch[at - 1]) < 0; at--)
            profile->scratch[at] = profile->scratch[at - 1];
        profile->scratch[at] = label;
    }
    return used;
}

static bool sample_equal(const void *within, uint32_t entry, const void *key)
{
    const struct sample *a = &((const struct profile *)within)->samples[entry];
    const struct sample *b = key;
    if (a->stack != b->stack || a->label_count != b->label_count)
        return false;
    for (size_t i = 0; i < a->label_count; i++) {
        const struct label *x = &a->labels[i];
        const struct label *y = &b->labels[i];
        if (x->key != y->key || x->text != y->text || x->unit != y->unit || x->number != y->number)
            return false;
    }
    return true;
}

static uint64_t sample_hash(const struct sample *sample)
{
    uint64_t hash = hash_word(sample->stack, sample->label_count);
    for (size_t i = 0; i < sample->label_count; i++) {
        const struct label *label = &sample->labels[i];
        hash = hash_word(hash, (uint64_t)label->key << 32 | label->text);
        hash = hash_word(hash, (uint64_t)label->number ^ (uint64_t)label->unit << 32);
    }
    return hash;
}

/* The sample equal to KEY, added with values 0 when new; NULL without memory. */
static struct sample *sample_find(struct profile *profile, const struct sample *key)
{
    uint64_t hash = sample_hash(key);
    uint32_t found = hash_index_find(&profile->sample_index, hash, sample_equal, profile, key);
    if (found != HASH_NONE)
        return &profile->samples[found];
    struct label *labels = arena_array(&profile->arena, key->label_count, sizeof *labels);
    struct sample *samples =
        array_reserve(&profile->arena, profile->samples, &profile->sample_capacity,
                      profile->sample_count, sizeof *samples);
    if (!labels || !samples ||
        !hash_index_insert(&profile->sample_index, &profile->arena, hash,
                           (uint32_t)profile->sample_count)) {
        fail(profile, -ENOMEM);
        return NULL;
    }
    if (key->label_count > 0)
        memcpy(labels, key->labels, key->label_count * sizeof *labels);
    profile->samples = samples;
    struct sample *sample = &samples[profile->sample_count++];
    *sample = *key;
    sample->labels = labels;
    return sample;
}

static void add(struct profile *profile, const struct stack_key *stack, const int64_t *values,
                const struct profile_label *labels, size_t label_count)
{
    if (profile->error)
        return;
    struct sample key = {
        .stack = stack_add(profile, stack),
        .label_count = (uint32_t)labels_read(profile, labels, label_count),
        .labels = profile->scratch,
    };
    struct sample *sample = profile->error ? NULL : sample_find(profile, &key);
    for (size_t i = 0; sample && i < profile->type_count; i++)
        sample->values[i] = (int64_t)((uint64_t)sample->values[i] + (uint64_t)values[i]);
}

void profile_add(struct profile *profile, const uint64_t *frames, size_t frame_count,
                 const int64_t *values, const struct profile_label *labels, size_t label_count)
{
    if (frame_count == 0) {
        profile_add_named(profile, (const char *const[]){ "[no stack]" }, 1, values, labels,
                          label_count);
        return;
    }
    struct stack_key key = { .frames = frames, .depth = frame_count };
    add(profile, &key, values, labels, label_count);
}

void profile_add_named(struct profile *profile, const char *const *functions, size_t function_count,
                       const int64_t *values, const struct profile_label *labels,
                       size_t label_count)
{
    uint32_t *names = arena_array(&profile->arena, function_count, sizeof *names);
    if (!names) {
        fail(profile, -ENOMEM);
        return;
    }
    for (size_t i = 0; i < function_count; i++)
        names[i] = profile_string(profile, functions[i]);
    struct stack_key key = { .names = names, .depth = function_count };
    add(profile, &key, values, labels, label_count);
}
