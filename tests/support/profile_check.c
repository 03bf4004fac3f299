/* profile_check.c: a profile held against the rules of its format; see profile_check.h.
 *
 * Written from the format's description and not from our encoder: it reads
 * with the generated code only, so that both cannot be wrong in the same way. */
#include "profile_check.h"

#include "profile/message.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static char message[512];

__attribute__((format(printf, 1, 2))) static const char *wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return message;
}

/* The bytes in GZ, to be freed; NULL unless it is one whole gzip member and nothing more. */
static unsigned char *gunzip(const void *gz, size_t length, size_t *size)
{
    z_stream stream = { .next_in = (Bytef *)(uintptr_t)gz, .avail_in = (uInt)length };
    size_t capacity = 1 << 16;
    unsigned char *bytes = malloc(capacity);
    int status = bytes ? inflateInit2(&stream, 15 + 16) : Z_MEM_ERROR;
    while (status == Z_OK) {
        stream.next_out = bytes + stream.total_out;
        stream.avail_out = (uInt)(capacity - stream.total_out);
        status = inflate(&stream, Z_NO_FLUSH);
        if (status != Z_OK || stream.avail_out > 0)
            continue;
        capacity *= 2;
        unsigned char *grown = realloc(bytes, capacity);
        if (!grown)
            status = Z_MEM_ERROR;
        else
            bytes = grown;
    }
    bool whole = status == Z_STREAM_END && stream.avail_in == 0;
    *size = stream.total_out;
    inflateEnd(&stream);
    if (whole)
        return bytes;
    free(bytes);
    return NULL;
}

Profile *profile_read(const void *gz, size_t length)
{
    size_t size;
    unsigned char *bytes = gunzip(gz, length, &size);
    Profile *profile = bytes ? perftools__profiles__profile__unpack(NULL, size, bytes) : NULL;
    free(bytes);
    return profile;
}

const char *profile_text(const Profile *profile, int64_t index)
{
    return index >= 0 && (uint64_t)index < profile->n_string_table ? profile->string_table[index]
                                                                   : "";
}

const Location *profile_location(const Profile *profile, uint64_t id)
{
    for (size_t i = 0; i < profile->n_location; i++)
        if (profile->location[i]->id == id)
            return profile->location[i];
    return NULL;
}

const Function *profile_function(const Profile *profile, uint64_t id)
{
    for (size_t i = 0; i < profile->n_function; i++)
        if (profile->function[i]->id == id)
            return profile->function[i];
    return NULL;
}

const Mapping *profile_mapping(const Profile *profile, uint64_t id)
{
    for (size_t i = 0; i < profile->n_mapping; i++)
        if (profile->mapping[i]->id == id)
            return profile->mapping[i];
    return NULL;
}

const char *profile_frame_name(const Profile *profile, const Sample *sample, size_t depth)
{
    if (depth >= sample->n_location_id)
        return "";
    const Location *location = profile_location(profile, sample->location_id[depth]);
    if (!location || location->n_line == 0)
        return "";
    const Function *function =
        profile_function(profile, location->line[location->n_line - 1]->function_id);
    return function ? profile_text(profile, function->name) : "";
}

const char *profile_label_text(const Profile *profile, const Sample *sample, const char *key)
{
    for (size_t i = 0; i < sample->n_label; i++)
        if (strcmp(profile_text(profile, sample->label[i]->key), key) == 0)
            return profile_text(profile, sample->label[i]->str);
    return NULL;
}

/* Ids of one kind, and which of them something refers to. */
struct ids {
    const char *what;
    uint64_t *all; /* ascending */
    bool *used;
    size_t count;
};

static int compare_ids(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static bool use(struct ids *ids, uint64_t id)
{
    const uint64_t *found = bsearch(&id, ids->all, ids->count, sizeof id, compare_ids);
    if (found)
        ids->used[found - ids->all] = true;
    return found != NULL;
}

static const char *check_ids(struct ids *ids)
{
    qsort(ids->all, ids->count, sizeof *ids->all, compare_ids);
    for (size_t i = 0; i < ids->count; i++) {
        if (ids->all[i] == 0)
            return wrong("a %s has id 0", ids->what);
        if (i > 0 && ids->all[i] == ids->all[i - 1])
            return wrong("two %ss have id %llu", ids->what, (unsigned long long)ids->all[i]);
    }
    return NULL;
}

static struct ids ids_new(const char *what, size_t count)
{
    return (struct ids){ what, calloc(count + 1, sizeof(uint64_t)), calloc(count + 1, 1), count };
}

static const char *check_used(const struct ids *ids, uint64_t exempt)
{
    for (size_t i = 0; i < ids->count; i++)
        if (!ids->used[i] && ids->all[i] != exempt)
            return wrong("%s %llu is used by nothing", ids->what, (unsigned long long)ids->all[i]);
    return NULL;
}

struct check {
    const Profile *profile;
    struct ids locations, functions, mappings;
};

static bool in_table(const struct check *check, int64_t index)
{
    return index >= 0 && (uint64_t)index < check->profile->n_string_table;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Continuation bytes where they belong and nowhere else; overlong forms are not looked for. */
static bool is_utf8(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        int more = *c < 0x80 ? 0 : *c < 0xc2 ? -1 : *c < 0xe0 ? 1 : *c < 0xf0 ? 2 : 3;
        if (more < 0 || *c > 0xf4)
            return false;
        for (; more > 0; more--)
            if ((*++c & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static const char *check_strings(const Profile *profile)
{
    if (profile->n_string_table == 0 || *profile->string_table[0])
        return wrong("the first string is not \"\"");
    char **sorted = malloc(profile->n_string_table * sizeof *sorted);
    memcpy(sorted, profile->string_table, profile->n_string_table * sizeof *sorted);
    qsort(sorted, profile->n_string_table, sizeof *sorted, compare_texts);
    const char *found = NULL;
    for (size_t i = 0; !found && i < profile->n_string_table; i++) {
        if (!is_utf8(sorted[i]))
            found = wrong("string '%.200s' is not UTF-8", sorted[i]);
        else if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
            found = wrong("string '%.200s' is there twice", sorted[i]);
    }
    free(sorted);
    return found;
}

static const char *check_types(const struct check *check)
{
    const Profile *profile = check->profile;
    if (profile->n_sample_type == 0)
        return wrong("there is no sample type");
    for (size_t i = 0; i < profile->n_sample_type; i++)
        if (!in_table(check, profile->sample_type[i]->type) ||
            !in_table(check, profile->sample_type[i]->unit) || profile->sample_type[i]->type == 0)
            return wrong("sample type %zu has no name", i);
    if (profile->default_sample_type != profile->sample_type[0]->type)
        return wrong("the default sample type is not the first");
    if (!profile->period_type || !in_table(check, profile->period_type->type) ||
        !in_table(check, profile->period_type->unit) || profile->period_type->type == 0)
        return wrong("the period has no type");
    if (profile->period <= 0)
        return wrong("the period is not positive");
    for (size_t i = 0; i < profile->n_comment; i++)
        if (!in_table(check, profile->comment[i]))
            return wrong("a comment is no string");
    if (!in_table(check, profile->drop_frames) || !in_table(check, profile->keep_frames))
        return wrong("drop_frames or keep_frames is no string");
    return NULL;
}

static const char *check_mapping(const struct check *check, const Mapping *mapping)
{
    unsigned long long id = (unsigned long long)mapping->id;
    if (mapping->memory_start >= mapping->memory_limit)
        return wrong("mapping %llu is empty", id);
    if (!in_table(check, mapping->filename) || mapping->filename == 0)
        return wrong("mapping %llu has no file name", id);
    if (!in_table(check, mapping->build_id))
        return wrong("mapping %llu: build id is no string", id);
    const char *build_id = profile_text(check->profile, mapping->build_id);
    if (strspn(build_id, "0123456789abcdef") != strlen(build_id) || strlen(build_id) % 2 != 0)
        return wrong("mapping %llu: build id '%.100s' is not hexadecimal", id, build_id);
    return NULL;
}

static const char *check_function(const struct check *check, const Function *function)
{
    unsigned long long id = (unsigned long long)function->id;
    if (!in_table(check, function->name) || function->name == 0)
        return wrong("function %llu has no name", id);
    if (!in_table(check, function->system_name) || !in_table(check, function->filename))
        return wrong("function %llu: system name or file is no string", id);
    if (function->start_line < 0)
        return wrong("function %llu begins on line %lld", id, (long long)function->start_line);
    return NULL;
}

static const char *check_location(struct check *check, const Location *location)
{
    unsigned long long id = (unsigned long long)location->id;
    if (location->n_line == 0)
        return wrong("location %llu has no line", id);
    for (size_t i = 0; i < location->n_line; i++) {
        if (!use(&check->functions, location->line[i]->function_id))
            return wrong("location %llu: there is no function %llu", id,
                         (unsigned long long)location->line[i]->function_id);
        if (location->line[i]->line < 0)
            return wrong("location %llu is on line %lld", id, (long long)location->line[i]->line);
    }
    if (location->mapping_id == 0)
        return NULL;
    const Mapping *mapping = profile_mapping(check->profile, location->mapping_id);
    if (!mapping || !use(&check->mappings, location->mapping_id))
        return wrong("location %llu: there is no mapping %llu", id,
                     (unsigned long long)location->mapping_id);
    if (location->address < mapping->memory_start || location->address >= mapping->memory_limit)
        return wrong("location %llu: address %#llx is outside of its mapping", id,
                     (unsigned long long)location->address);
    return NULL;
}

static const char *check_label(const struct check *check, const Label *label)
{
    if (!in_table(check, label->key) || label->key == 0)
        return wrong("a label has no key");
    const char *key = profile_text(check->profile, label->key);
    if (!in_table(check, label->str) || !in_table(check, label->num_unit))
        return wrong("label %s: value or unit is no string", key);
    if (label->str != 0 && (label->num != 0 || label->num_unit != 0))
        return wrong("label %s is both a text and a number", key);
    return NULL;
}

static const char *check_sample(struct check *check, const Sample *sample, size_t index)
{
    if (sample->n_value != check->profile->n_sample_type)
        return wrong("sample %zu has %zu values for %zu types", index, sample->n_value,
                     check->profile->n_sample_type);
    bool counts = false;
    for (size_t i = 0; i < sample->n_value; i++)
        counts |= sample->value[i] != 0;
    if (!counts)
        return wrong("sample %zu is 0 in every value", index);
    if (sample->n_location_id == 0)
        return wrong("sample %zu has no stack", index);
    for (size_t i = 0; i < sample->n_location_id; i++)
        if (!use(&check->locations, sample->location_id[i]))
            return wrong("sample %zu: there is no location %llu", index,
                         (unsigned long long)sample->location_id[i]);
    for (size_t i = 0; i < sample->n_label; i++) {
        const char *found = check_label(check, sample->label[i]);
        if (found)
            return found;
    }
    return NULL;
}

/* Orders samples by stack and labels: 0 means that they should be one. */
static int compare_samples(const void *left, const void *right)
{
    const Sample *a = *(const Sample *const *)left;
    const Sample *b = *(const Sample *const *)right;
    if (a->n_location_id != b->n_location_id)
        return a->n_location_id < b->n_location_id ? -1 : 1;
    if (a->n_label != b->n_label)
        return a->n_label < b->n_label ? -1 : 1;
    int order = memcmp(a->location_id, b->location_id, a->n_location_id * sizeof *a->location_id);
    for (size_t i = 0; order == 0 && i < a->n_label; i++) {
        const int64_t x[] = { a->label[i]->key, a->label[i]->str, a->label[i]->num,
                              a->label[i]->num_unit };
        const int64_t y[] = { b->label[i]->key, b->label[i]->str, b->label[i]->num,
                              b->label[i]->num_unit };
        order = memcmp(x, y, sizeof x);
    }
    return order;
}

static const char *check_merged(const Profile *profile)
{
    Sample **sorted = malloc((profile->n_sample + 1) * sizeof *sorted);
    if (profile->n_sample > 0)
        memcpy(sorted, profile->sample, profile->n_sample * sizeof *sorted);
    qsort(sorted, profile->n_sample, sizeof *sorted, compare_samples);
    const char *found = NULL;
    for (size_t i = 1; !found && i < profile->n_sample; i++)
        if (compare_samples(&sorted[i - 1], &sorted[i]) == 0)
            found = wrong("two samples have the same stack and the same labels");
    free(sorted);
    return found;
}

static const char *check_parts(struct check *check)
{
    const Profile *profile = check->profile;
    const char *found = NULL;
    for (size_t i = 0; !found && i < profile->n_mapping; i++)
        found = check_mapping(check, profile->mapping[i]);
    for (size_t i = 0; !found && i < profile->n_function; i++)
        found = check_function(check, profile->function[i]);
    for (size_t i = 0; !found && i < profile->n_location; i++)
        found = check_location(check, profile->location[i]);
    for (size_t i = 0; !found && i < profile->n_sample; i++)
        found = check_sample(check, profile->sample[i], i);
    return found;
}

static const char *check_all(struct check *check)
{
    const Profile *profile = check->profile;
    const char *found = check_strings(profile);
    found = found ? found : check_types(check);
    found = found ? found : check_ids(&check->mappings);
    found = found ? found : check_ids(&check->functions);
    found = found ? found : check_ids(&check->locations);
    found = found ? found : check_parts(check);
    found = found ? found : check_merged(profile);
    found = found ? found : check_used(&check->locations, 0);
    found = found ? found : check_used(&check->functions, 0);
    uint64_t main_binary = profile->n_mapping > 0 ? profile->mapping[0]->id : 0;
    return found ? found : check_used(&check->mappings, main_binary);
}

const char *profile_check(const void *gz, size_t length)
{
    Profile *profile = profile_read(gz, length);
    if (!profile)
        return wrong("the bytes are not one gzip'd profile");
    struct check check = {
        .profile = profile,
        .locations = ids_new("location", profile->n_location),
        .functions = ids_new("function", profile->n_function),
        .mappings = ids_new("mapping", profile->n_mapping),
    };
    for (size_t i = 0; i < profile->n_location; i++)
        check.locations.all[i] = profile->location[i]->id;
    for (size_t i = 0; i < profile->n_function; i++)
        check.functions.all[i] = profile->function[i]->id;
    for (size_t i = 0; i < profile->n_mapping; i++)
        check.mappings.all[i] = profile->mapping[i]->id;
    const char *found = check_all(&check);
    struct ids *all[] = { &check.locations, &check.functions, &check.mappings };
    for (size_t i = 0; i < 3; i++) {
        free(all[i]->all);
        free(all[i]->used);
    }
    perftools__profiles__profile__free_unpacked(profile, NULL);
    return found;
}
