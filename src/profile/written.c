/* written.c: a profile as it goes out; see written.h.
 *
 * Order: pick samples, number their places, name those, then rank stacks and
 * strings, so that samples can be ordered by comparing numbers. */
#include "profile/written.h"

#include "profile/written_code.h"

#include <errno.h>
#include <stdlib.h>

static bool is_used(const struct profile *profile, const struct sample *sample)
{
    for (size_t i = 0; i < profile->type_count; i++)
        if (sample->values[i] != 0)
            return true;
    return false;
}

/* A stack in use, and its rank among them. */
struct ranked_stack {
    const struct stack *stack;
    uint32_t number;
};

static int compare_stacks(const void *left, const void *right, void *context)
{
    const struct stack *a = ((const struct ranked_stack *)left)->stack;
    const struct stack *b = ((const struct ranked_stack *)right)->stack;
    const uint32_t *location_of = context;
    for (size_t i = 0; i < a->depth && i < b->depth; i++) {
        uint32_t x = location_of[a->places[i]];
        uint32_t y = location_of[b->places[i]];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a->depth > b->depth) - (a->depth < b->depth);
}

/* The rank of each stack in use, by its number in the profile. */
static uint32_t *rank_stacks(struct written *written, const bool *stack_used)
{
    const struct profile *profile = written->profile;
    struct ranked_stack *order = arena_array(&written->arena, profile->stack_count, sizeof *order);
    uint32_t *rank = arena_array(&written->arena, profile->stack_count, sizeof *rank);
    if (!order || !rank)
        return NULL;
    size_t count = 0;
    for (uint32_t i = 0; i < profile->stack_count; i++)
        if (stack_used[i])
            order[count++] = (struct ranked_stack){ &profile->stacks[i], i };
    qsort_r(order, count, sizeof *order, compare_stacks, written->location_of);
    for (uint32_t i = 0; i < count; i++)
        rank[order[i].number] = i;
    return rank;
}

static int compare_strings(const void *left, const void *right, void *context)
{
    return strings_compare(context, *(const uint32_t *)left, *(const uint32_t *)right);
}

static void use_string(struct profile *profile, uint32_t number)
{
    profile->strings.all[number].written = 1;
}

static void use_strings(struct written *written)
{
    struct profile *profile = written->profile;
    for (size_t i = 0; i < profile->strings.count; i++)
        profile->strings.all[i].written = 0;
    for (size_t i = 0; i < profile->type_count; i++) {
        use_string(profile, profile->types[i].type);
        use_string(profile, profile->types[i].unit);
    }
    use_string(profile, profile->period_type.type);
    use_string(profile, profile->period_type.unit);
    for (size_t i = 0; i < profile->comment_count; i++)
        use_string(profile, profile->comments[i]);
    for (size_t i = 0; i < written->mapping_count; i++) {
        use_string(profile, written->mappings[i].path);
        use_string(profile, written->mappings[i].build_id);
    }
    for (size_t i = 0; i < written->function_count; i++) {
        use_string(profile, written->functions[i].name);
        use_string(profile, written->functions[i].system_name);
        use_string(profile, written->functions[i].file);
    }
    for (size_t i = 0; i < written->sample_count; i++) {
        const struct sample *sample = &profile->samples[written->samples[i]];
        for (size_t l = 0; l < sample->label_count; l++) {
            use_string(profile, sample->labels[l].key);
            use_string(profile, sample->labels[l].text);
            use_string(profile, sample->labels[l].unit);
        }
    }
}

static bool order_strings(struct written *written)
{
    struct strings *strings = &written->profile->strings;
    use_strings(written);
    uint32_t *order = arena_array(&written->arena, strings->count, sizeof *order);
    if (!order)
        return false;
    size_t count = 1; /* order[0] is "" */
    for (uint32_t i = 1; i < strings->count; i++)
        if (strings->all[i].written)
            order[count++] = i;
    qsort_r(order + 1, count - 1, sizeof *order, compare_strings, strings);
    for (uint32_t i = 0; i < count; i++)
        strings->all[order[i]].written = i;
    written->strings = order;
    written->string_count = count;
    return true;
}

/* A sample in the making of the order. Stack and first labels as one number
 * settle most comparisons without a look at the rest. */
struct ranked_sample {
    uint64_t stack;
    uint32_t number;
};

static int compare_samples(const void *left, const void *right, void *context)
{
    const struct ranked_sample *x = left;
    const struct ranked_sample *y = right;
    if (x->stack != y->stack)
        return x->stack < y->stack ? -1 : 1;
    const struct profile *profile = context;
    const struct string *strings = profile->strings.all;
    const struct sample *a = &profile->samples[x->number];
    const struct sample *b = &profile->samples[y->number];
    for (size_t i = 0; i < a->label_count && i < b->label_count; i++) {
        const struct label *p = &a->labels[i];
        const struct label *q = &b->labels[i];
        if (p->key != q->key)
            return strings[p->key].written < strings[q->key].written ? -1 : 1;
        if (p->text != q->text)
            return strings[p->text].written < strings[q->text].written ? -1 : 1;
        if (p->number != q->number)
            return p->number < q->number ? -1 : 1;
        if (p->unit != q->unit)
            return strings[p->unit].written < strings[q->unit].written ? -1 : 1;
    }
    return (a->label_count > b->label_count) - (a->label_count < b->label_count);
}

static bool order_samples(struct written *written, const bool *stack_used)
{
    struct profile *profile = written->profile;
    const uint32_t *rank = rank_stacks(written, stack_used);
    struct ranked_sample *order =
        arena_array(&written->arena, written->sample_count, sizeof *order);
    if (!rank || !order)
        return false;
    for (size_t i = 0; i < written->sample_count; i++)
        order[i] = (struct ranked_sample){
            .stack = rank[profile->samples[written->samples[i]].stack],
            .number = written->samples[i],
        };
    qsort_r(order, written->sample_count, sizeof *order, compare_samples, profile);
    for (size_t i = 0; i < written->sample_count; i++)
        written->samples[i] = order[i].number;
    return true;
}

/* The samples that go out, in the order of adding, and which stacks they use. */
static bool pick_samples(struct written *written, bool *stack_used)
{
    const struct profile *profile = written->profile;
    written->samples =
        arena_array(&written->arena, profile->sample_count, sizeof *written->samples);
    if (!written->samples)
        return false;
    for (uint32_t i = 0; i < profile->sample_count; i++) {
        if (!is_used(profile, &profile->samples[i]))
            continue;
        written->samples[written->sample_count++] = i;
        stack_used[profile->samples[i].stack] = true;
    }
    return true;
}

int written_init(struct written *written, struct profile *profile)
{
    *written = (struct written){ .profile = profile };
    if (profile->error)
        return profile->error;
    bool *stack_used = arena_array(&written->arena, profile->stack_count, sizeof *stack_used);
    bool done = stack_used && pick_samples(written, stack_used) &&
                written_code(written, stack_used) && order_strings(written) &&
                order_samples(written, stack_used);
    return done ? 0 : -ENOMEM;
}

void written_free(struct written *written)
{
    arena_release(&written->arena);
}
