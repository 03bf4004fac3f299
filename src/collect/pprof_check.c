/* pprof_check.c: whether a message is a profile, and what is where in it; see pprof.h.
 *
 * The rules are those by which Go's reader takes or refuses a profile: every string is in the
 * table, ids are unique and not 0, a sample has a value for each type and a stack of locations
 * that exist. A mapping that is not there is none; Go takes it so, and such files are about. */
#include "collect/pprof.h"

#include "profile/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

struct complaint {
    char *why;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static int broken(const struct complaint *complaint,
                                                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(complaint->why, complaint->size, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

static bool mapping_is(const void *message, uint32_t place, const void *id)
{
    return ((const Profile *)message)->mapping[place]->id == *(const uint64_t *)id;
}

static bool function_is(const void *message, uint32_t place, const void *id)
{
    return ((const Profile *)message)->function[place]->id == *(const uint64_t *)id;
}

static bool location_is(const void *message, uint32_t place, const void *id)
{
    return ((const Profile *)message)->location[place]->id == *(const uint64_t *)id;
}

static uint32_t find(const struct pprof *pprof, const struct hash_index *index, hash_equal *is,
                     uint64_t id)
{
    return hash_index_find(index, hash_word(pprof->seed, id), is, pprof->message, &id);
}

uint32_t pprof_find_mapping(const struct pprof *pprof, uint64_t id)
{
    return find(pprof, &pprof->mappings, mapping_is, id);
}

uint32_t pprof_find_function(const struct pprof *pprof, uint64_t id)
{
    return find(pprof, &pprof->functions, function_is, id);
}

uint32_t pprof_find_location(const struct pprof *pprof, uint64_t id)
{
    return find(pprof, &pprof->locations, location_is, id);
}

static bool is_text(const struct pprof *pprof, int64_t index)
{
    return index >= 0 && (uint64_t)index < pprof->message->n_string_table;
}

const char *pprof_text(const struct pprof *pprof, int64_t index)
{
    return is_text(pprof, index) ? pprof->message->string_table[index] : "";
}

const char *pprof_type(const struct pprof *pprof, const ValueType *type)
{
    return type ? pprof_text(pprof, type->type) : "";
}

const char *pprof_unit(const struct pprof *pprof, const ValueType *type)
{
    return type ? pprof_text(pprof, type->unit) : "";
}

static int note(struct pprof *pprof, struct hash_index *index, hash_equal *is, uint64_t id,
                size_t place, const char *what, const struct complaint *complaint)
{
    if (id == 0)
        return broken(complaint, "a %s has the id 0", what);
    if (find(pprof, index, is, id) != HASH_NONE)
        return broken(complaint, "two %ss have the id %" PRIu64, what, id);
    if (place >= HASH_NONE ||
        !hash_index_insert(index, &pprof->arena, hash_word(pprof->seed, id), (uint32_t)place))
        return -ENOMEM;
    return 0;
}

static int check_texts(const struct pprof *pprof, const struct complaint *complaint)
{
    const Profile *message = pprof->message;
    if (message->n_string_table == 0)
        return broken(complaint, "it has no table of strings");
    if (*message->string_table[0])
        return broken(complaint, "the first string of its table is not empty");
    bool good = is_text(pprof, message->drop_frames) && is_text(pprof, message->keep_frames) &&
                is_text(pprof, message->default_sample_type) && is_text(pprof, message->doc_url);
    for (size_t i = 0; i < message->n_comment; i++)
        good &= is_text(pprof, message->comment[i]);
    for (size_t i = 0; i < message->n_sample_type; i++)
        good &= is_text(pprof, message->sample_type[i]->type) &&
                is_text(pprof, message->sample_type[i]->unit);
    if (message->period_type)
        good &= is_text(pprof, message->period_type->type) &&
                is_text(pprof, message->period_type->unit);
    return good ? 0 : broken(complaint, "it refers to a string that is not there");
}

static int check_mappings(struct pprof *pprof, const struct complaint *complaint)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < pprof->message->n_mapping; i++) {
        const Mapping *mapping = pprof->message->mapping[i];
        status = note(pprof, &pprof->mappings, mapping_is, mapping->id, i, "mapping", complaint);
        if (status == 0 &&
            (!is_text(pprof, mapping->filename) || !is_text(pprof, mapping->build_id)))
            status =
                broken(complaint, "mapping %" PRIu64 " has a name that is not there", mapping->id);
    }
    return status;
}

static int check_functions(struct pprof *pprof, const struct complaint *complaint)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < pprof->message->n_function; i++) {
        const Function *function = pprof->message->function[i];
        status =
            note(pprof, &pprof->functions, function_is, function->id, i, "function", complaint);
        if (status == 0 &&
            (!is_text(pprof, function->name) || !is_text(pprof, function->system_name) ||
             !is_text(pprof, function->filename)))
            status = broken(complaint, "function %" PRIu64 " has a name that is not there",
                            function->id);
    }
    return status;
}

static int check_locations(struct pprof *pprof, const struct complaint *complaint)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < pprof->message->n_location; i++) {
        const Location *location = pprof->message->location[i];
        status =
            note(pprof, &pprof->locations, location_is, location->id, i, "location", complaint);
        for (size_t j = 0; status == 0 && j < location->n_line; j++) {
            uint64_t id = location->line[j]->function_id;
            if (id != 0 && pprof_find_function(pprof, id) == HASH_NONE)
                status =
                    broken(complaint,
                           "location %" PRIu64 " is in function %" PRIu64 ", which is not there",
                           location->id, id);
        }
    }
    return status;
}

static int check_sample(const struct pprof *pprof, size_t number, const struct complaint *complaint)
{
    const Sample *sample = pprof->message->sample[number];
    if (sample->n_value != pprof->message->n_sample_type)
        return broken(complaint, "sample %zu has %zu values for %zu types", number, sample->n_value,
                      pprof->message->n_sample_type);
    for (size_t i = 0; i < sample->n_location_id; i++)
        if (pprof_find_location(pprof, sample->location_id[i]) == HASH_NONE)
            return broken(complaint, "sample %zu is at location %" PRIu64 ", which is not there",
                          number, sample->location_id[i]);
    for (size_t i = 0; i < sample->n_label; i++)
        if (!is_text(pprof, sample->label[i]->key) || !is_text(pprof, sample->label[i]->str) ||
            !is_text(pprof, sample->label[i]->num_unit))
            return broken(complaint, "sample %zu has a label that is not there", number);
    return 0;
}

int pprof_check(struct pprof *pprof, char *why, size_t size)
{
    const struct complaint complaint = { why, size };
    int status = check_texts(pprof, &complaint);
    if (status == 0)
        status = check_mappings(pprof, &complaint);
    if (status == 0)
        status = check_functions(pprof, &complaint);
    if (status == 0)
        status = check_locations(pprof, &complaint);
    if (status == 0 && pprof->message->n_sample_type == 0)
        status = broken(&complaint, "it has no sample type");
    for (size_t i = 0; status == 0 && i < pprof->message->n_sample; i++)
        status = check_sample(pprof, i, &complaint);
    return status;
}
