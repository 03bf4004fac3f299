/* written_code.c: locations, functions and mappings; see written_code.h.
 *
 * pprof looks names up itself for a mapping without has_functions: by addr2line
 * or nm, that is by the nearest symbol, whatever its size, and what it finds
 * replaces what the profile says. So the flags are set as soon as the binary gave
 * us one name: its symbols were at hand here, and the frames shown as
 * module+0xoffset are those it has no name for. Where it gave none at all (stripped,
 * or gone from the disk) the flags stay off, and an unstripped file of the
 * same build id on the reader's machine names the whole mapping. */
#include "profile/written_code.h"

#include "modules/modules.h"
#include "profile/written.h"
#include "symbolize/symbolize.h"

#include <stdlib.h>

/* By address, then the named ones by name. */
static int compare_places(const void *left, const void *right, void *context)
{
    const struct profile *profile = context;
    const struct place *a = &profile->places[*(const uint32_t *)left];
    const struct place *b = &profile->places[*(const uint32_t *)right];
    if (a->named != b->named)
        return a->named ? 1 : -1;
    if (a->named)
        return strings_compare(&profile->strings, a->name, b->name);
    return (a->address > b->address) - (a->address < b->address);
}

/* Numbers the places in use. */
static bool order_places(struct written *written, const bool *stack_used)
{
    struct profile *profile = written->profile;
    uint32_t *order = arena_array(&written->arena, profile->place_count, sizeof *order);
    uint32_t *location_of = arena_array(&written->arena, profile->place_count, sizeof *location_of);
    if (!order || !location_of)
        return false;
    for (size_t i = 0; i < profile->stack_count; i++)
        for (size_t depth = profile->stacks[i].depth; stack_used[i] && depth > 0; depth--)
            location_of[profile->stacks[i].places[depth - 1]] = 1;
    size_t count = 0;
    for (uint32_t i = 0; i < profile->place_count; i++)
        if (location_of[i])
            order[count++] = i;
    qsort_r(order, count, sizeof *order, compare_places, profile);
    written->locations = arena_array(&written->arena, count, sizeof *written->locations);
    if (!written->locations)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        written->locations[i].place = &profile->places[order[i]];
        written->address_count += !profile->places[order[i]].named;
        location_of[order[i]] = i;
    }
    written->location_of = location_of;
    written->location_count = count;
    return true;
}

static void append_hex(char *text, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        *text++ = "0123456789abcdef"[bytes[i] >> 4];
        *text++ = "0123456789abcdef"[bytes[i] & 15];
    }
    *text = 0;
}

/* Lists MODULE; its index, or HASH_NONE without memory. */
static uint32_t mapping_add(struct written *written, const struct module *module)
{
    for (size_t i = written->mapping_count; i > 0; i--) /* mostly the one of the place before */
        if (written->mappings[i - 1].module == module)
            return (uint32_t)i - 1;
    struct written_mapping *mappings =
        array_reserve(&written->arena, written->mappings, &written->mapping_capacity,
                      written->mapping_count, sizeof *mappings);
    if (!mappings)
        return HASH_NONE;
    char build_id[2 * sizeof module->build_id + 1];
    append_hex(build_id, module->build_id, module->build_id_length);
    written->mappings = mappings;
    mappings[written->mapping_count] = (struct written_mapping){
        .module = module,
        .path = profile_string(written->profile, module->path),
        .build_id = profile_string(written->profile, build_id),
    };
    return (uint32_t)written->mapping_count++;
}

/* pprof takes the first mapping for the main binary. */
static bool add_main_binary(struct written *written)
{
    const struct profile *profile = written->profile;
    const struct module *program =
        profile->symbolizer ? symbolizer_program(profile->symbolizer) : NULL;
    return !program || mapping_add(written, program) != HASH_NONE;
}

static bool function_equal(const void *within, uint32_t entry, const void *key)
{
    const struct written_function *a = &((const struct written *)within)->functions[entry];
    const struct written_function *b = key;
    return a->name == b->name && a->system_name == b->system_name && a->file == b->file &&
           a->start_line == b->start_line;
}

static uint32_t function_add(struct written *written, struct written_function function)
{
    uint64_t hash = hash_word((uint64_t)function.name << 32 | function.system_name,
                              (uint64_t)function.file << 32 | (uint32_t)function.start_line);
    uint32_t found =
        hash_index_find(&written->function_index, hash, function_equal, written, &function);
    if (found != HASH_NONE)
        return found;
    struct written_function *functions =
        array_reserve(&written->arena, written->functions, &written->function_capacity,
                      written->function_count, sizeof *functions);
    uint32_t index = (uint32_t)written->function_count;
    if (!functions || !hash_index_insert(&written->function_index, &written->arena, hash, index))
        return HASH_NONE;
    written->functions = functions;
    functions[written->function_count++] = function;
    return index;
}

static bool add_line(struct written *written, struct written_location *location,
                     struct written_function function, int line)
{
    uint32_t index = function_add(written, function);
    location->lines[location->line_count++] = (struct written_line){ index, line };
    return index != HASH_NONE;
}

/* Without a system name: pprof tries to demangle those that are equal, and takes
 * what stands in brackets out of words that look like C++. */
static bool name_by_word(struct written *written, struct written_location *location)
{
    location->mapping = HASH_NONE;
    location->lines = arena_array(&written->arena, 1, sizeof *location->lines);
    return location->lines && add_line(written, location,
                                       (struct written_function){
                                           .name = location->place->name,
                                       },
                                       0);
}

static bool name_by_address(struct written *written, struct written_location *location)
{
    struct profile *profile = written->profile;
    const struct location *symbols = symbolize(profile->symbolizer, location->place->address);
    location->symbols = symbols;
    location->mapping = HASH_NONE;
    if (symbols->module) {
        location->mapping = mapping_add(written, symbols->module);
        if (location->mapping == HASH_NONE)
            return false;
        struct written_mapping *mapping = &written->mappings[location->mapping];
        mapping->has_functions |= symbols->has_function != 0;
        mapping->has_filenames |= symbols->has_lines != 0;
        mapping->has_line_numbers |= symbols->has_lines != 0;
        mapping->has_inline_frames |= symbols->has_inlines != 0;
    }
    location->lines = arena_array(&written->arena, symbols->line_count, sizeof *location->lines);
    bool done = location->lines != NULL;
    for (size_t i = 0; done && i < symbols->line_count; i++) {
        const struct source_line *line = &symbols->lines[i];
        struct written_function function = {
            .name = profile_string(profile, line->function),
            .system_name = profile_string(profile, line->system_name),
            .file = profile_string(profile, line->file),
            .start_line = line->start_line,
        };
        done = add_line(written, location, function, line->line);
    }
    return done;
}

bool written_code(struct written *written, const bool *stack_used)
{
    if (!order_places(written, stack_used) || !add_main_binary(written))
        return false;
    /* In the order of addresses, so that mappings come out ordered as well. */
    for (size_t i = 0; i < written->location_count; i++) {
        struct written_location *location = &written->locations[i];
        if (!(location->place->named ? name_by_word(written, location)
                                     : name_by_address(written, location)))
            return false;
    }
    return written->profile->error == 0;
}
