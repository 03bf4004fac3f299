/* pprof_header.c: what two profiles say of themselves, as one; see pprof_merge.h.
 *
 * As Go's combineHeaders: types must be equal; the earliest time, the sum of the durations, the
 * longest period, every comment once; of the rest the first that says anything. */
#include "collect/pprof_merge.h"

#include "profile/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int merge_begin(struct merge *merge)
{
    *merge = (struct merge){ 0 };
    return strings_init(&merge->strings, &merge->arena) ? 0 : -ENOMEM;
}

void merge_free(struct merge *merge)
{
    arena_release(&merge->arena);
    *merge = (struct merge){ 0 };
}

static struct merged_type type_of(struct merge *merge, const struct pprof *pprof,
                                  const ValueType *type)
{
    return (struct merged_type){
        .type = merge_string(merge, pprof_type(pprof, type)),
        .unit = merge_string(merge, pprof_unit(pprof, type)),
    };
}

static bool same_type(struct merged_type left, struct merged_type right)
{
    return left.type == right.type && left.unit == right.unit;
}

/* "threads/count blocked/nanoseconds" */
static const char *types_in_words(const struct pprof *pprof, char *words, size_t size)
{
    size_t used = 0;
    *words = 0;
    for (size_t i = 0; i < pprof->message->n_sample_type && used < size; i++) {
        const ValueType *type = pprof->message->sample_type[i];
        int length = snprintf(words + used, size - used, "%s%s/%s", i > 0 ? " " : "",
                              pprof_type(pprof, type), pprof_unit(pprof, type));
        used += length > 0 ? (size_t)length : 0;
    }
    return words;
}

static int check_types(struct merge *merge, const struct pprof *pprof, char *why, size_t size)
{
    const Profile *message = pprof->message;
    bool same = message->n_sample_type == merge->type_count;
    for (size_t i = 0; same && i < merge->type_count; i++)
        same = same_type(merge->types[i], type_of(merge, pprof, message->sample_type[i]));
    char words[256];
    if (!same) {
        snprintf(why, size, "it counts other things: %s",
                 types_in_words(pprof, words, sizeof words));
        return -EINVAL;
    }
    if (!same_type(merge->period_type, type_of(merge, pprof, message->period_type))) {
        snprintf(why, size, "its period is of another kind: %s/%s",
                 pprof_type(pprof, message->period_type), pprof_unit(pprof, message->period_type));
        return -EINVAL;
    }
    return 0;
}

static int set_types(struct merge *merge, const struct pprof *pprof)
{
    const Profile *message = pprof->message;
    merge->type_count = message->n_sample_type;
    merge->types = arena_array(&merge->arena, merge->type_count, sizeof *merge->types);
    if (!merge->types)
        return -ENOMEM;
    for (size_t i = 0; i < merge->type_count; i++)
        merge->types[i] = type_of(merge, pprof, message->sample_type[i]);
    merge->period_type = type_of(merge, pprof, message->period_type);
    merge->drop_frames = merge_string(merge, pprof_text(pprof, message->drop_frames));
    merge->keep_frames = merge_string(merge, pprof_text(pprof, message->keep_frames));
    return 0;
}

static int add_comments(struct merge *merge, const struct pprof *pprof)
{
    for (size_t i = 0; i < pprof->message->n_comment; i++) {
        uint32_t comment = merge_string(merge, pprof_text(pprof, pprof->message->comment[i]));
        size_t at = 0;
        while (at < merge->comment_count && merge->comments[at] != comment)
            at++;
        if (at < merge->comment_count)
            continue;
        uint32_t *all = array_reserve(&merge->arena, merge->comments, &merge->comment_capacity,
                                      merge->comment_count, sizeof *all);
        if (!all)
            return -ENOMEM;
        merge->comments = all;
        all[merge->comment_count++] = comment;
    }
    return 0;
}

static int add_header(struct merge *merge, const struct pprof *pprof)
{
    const Profile *message = pprof->message;
    if (merge->time_ns == 0 || message->time_nanos < merge->time_ns)
        merge->time_ns = message->time_nanos;
    merge->duration_ns =
        (int64_t)((uint64_t)merge->duration_ns + (uint64_t)message->duration_nanos);
    if (merge->period == 0 || merge->period < message->period)
        merge->period = message->period;
    if (merge->default_type == 0)
        merge->default_type = merge_string(merge, pprof_text(pprof, message->default_sample_type));
    if (merge->doc_url == 0)
        merge->doc_url = merge_string(merge, pprof_text(pprof, message->doc_url));
    return add_comments(merge, pprof);
}

int merge_add(struct merge *merge, const struct pprof *profile, bool is_base, char *why,
              size_t size)
{
    int status = merge->types ? check_types(merge, profile, why, size) : set_types(merge, profile);
    if (status == 0)
        status = add_header(merge, profile);
    if (status == 0)
        status = merge_add_samples(merge, profile, is_base);
    if (status == -ENOMEM)
        snprintf(why, size, "%s", strerror(ENOMEM));
    return status;
}

int64_t merge_growth(const struct merged_sample *sample, size_t type)
{
    return (int64_t)((uint64_t)sample->now[type] - (uint64_t)sample->before[type]);
}

bool merge_is_zero(const struct merge *merge, const struct merged_sample *sample)
{
    for (size_t i = 0; i < merge->type_count; i++)
        if (merge_growth(sample, i) != 0)
            return false;
    return true;
}
