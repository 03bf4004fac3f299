/* modules.c: the table of code, brought up to date from maps; see modules.h.
 *
 * A refresh walks maps in address order. The first mapping of a file holds its
 * ELF headers, which say where its code is; an executable mapping inside
 * that range is the module's, even where it has no file any more (text copied
 * to huge pages). Executable memory that belongs to no file is a module of its
 * own. What a refresh finds is matched with what was known: equal ones are
 * kept, the others retired. */
#include "modules/modules.h"

#include "base/target.h"
#include "modules/code_maps.h"
#include "modules/elf_image.h"
#include "base/maps.h"
#include "modules/module_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DELETED " (deleted)"

struct modules {
    struct target *target;
    struct module **all; /* by id - 1 */
    size_t count;
    size_t capacity;
    struct module **mapped; /* those not retired, by start */
    size_t mapped_count;
    uint64_t generation;
    bool hashed; /* `hash` is that of the executable mappings at the last refresh */
    uint64_t hash;
};

/* A refresh at work. */
struct refresh {
    struct modules *modules;
    struct module **found; /* by start, old ones and new ones */
    size_t count;
    size_t capacity;
    struct map_line first; /* the first mapping of the file that the walk is in */
    bool replaced;         /* a module is gone or was replaced */
};

struct modules *modules_new(struct target *target)
{
    struct modules *modules = calloc(1, sizeof *modules);
    if (modules)
        modules->target = target;
    return modules;
}

static void module_free(struct module *module)
{
    free(module->path);
    free(module);
}

void modules_free(struct modules *modules)
{
    if (!modules)
        return;
    for (size_t i = 0; i < modules->count; i++)
        module_free(modules->all[i]);
    free(modules->all);
    free(modules->mapped);
    free(modules);
}

static bool push(struct module ***list, size_t *count, size_t *capacity, struct module *module)
{
    if (*count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 32;
        struct module **grown = realloc(*list, larger * sizeof *grown);
        if (!grown)
            return false;
        *list = grown;
        *capacity = larger;
    }
    (*list)[(*count)++] = module;
    return true;
}

bool module_list_add(struct modules *modules, struct module *module)
{
    if (!push(&modules->all, &modules->count, &modules->capacity, module))
        return false;
    module->id = (uint32_t)modules->count;
    return true;
}

/* The index of the first module in LIST that ends above ADDRESS. */
static size_t position(struct module *const *list, size_t count, uint64_t address)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle]->end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct module *modules_find(const struct modules *modules, uint64_t address)
{
    size_t at = position(modules->mapped, modules->mapped_count, address);
    if (at == modules->mapped_count || address < modules->mapped[at]->start)
        return NULL;
    return modules->mapped[at];
}

static bool same_path(const struct module *module, const struct map_line *line)
{
    size_t length = strlen(module->path);
    size_t tail = module->deleted ? strlen(DELETED) : 0;
    return line->path_length == length + tail && memcmp(module->path, line->path, length) == 0;
}

/* The module known before whose file is mapped at FIRST as it was, or NULL. */
static struct module *known_file(const struct modules *modules, const struct map_line *first,
                                 const struct map_line *code)
{
    size_t at = position(modules->mapped, modules->mapped_count, code->start);
    if (at == modules->mapped_count)
        return NULL;
    struct module *module = modules->mapped[at];
    bool same = module->is_elf && module->start <= code->start && code->end <= module->end &&
                module->device == first->device && module->inode == first->inode &&
                same_path(module, first);
    return same ? module : NULL;
}

/* Anonymous code is known by its start; it may have grown. */
static struct module *known_memory(const struct modules *modules, const struct map_line *code)
{
    size_t at = position(modules->mapped, modules->mapped_count, code->start);
    if (at == modules->mapped_count)
        return NULL;
    struct module *module = modules->mapped[at];
    if (module->is_elf || module->start != code->start || module->end > code->end ||
        !same_path(module, code))
        return NULL;
    module->end = code->end;
    return module;
}

static struct module *module_new(const struct map_line *line)
{
    struct module *module = calloc(1, sizeof *module);
    if (!module)
        return NULL;
    static const char anonymous[] = "[anon]";
    const char *path = line->path_length > 0 ? line->path : anonymous;
    size_t length = line->path_length > 0 ? line->path_length : strlen(anonymous);
    size_t tail = strlen(DELETED);
    if (length > tail && memcmp(path + length - tail, DELETED, tail) == 0) {
        module->deleted = true;
        length -= tail;
    }
    module->path = strndup(path, length);
    if (!module->path) {
        free(module);
        return NULL;
    }
    module->is_vdso = strcmp(module->path, "[vdso]") == 0;
    module->device = line->device;
    module->inode = line->inode;
    return module;
}

/* A module not seen before, for the code at CODE of the file that begins at FIRST. */
static struct module *read_module(struct target *target, const struct map_line *first,
                                  const struct map_line *code)
{
    struct module *module = module_new(code->path_length > 0 ? code : first);
    if (!module)
        return NULL;
    bool of_file = elf_image_read(target, first->start, module) && module->start <= code->start &&
                   code->end <= module->end;
    if (of_file)
        return module;
    module->is_elf = false;
    module->build_id_length = 0;
    module->eh_frame_hdr_size = 0;
    module->eh_frame_size = 0;
    module->bias = 0;
    module->file_offset = code->offset;
    module->start = code->start;
    module->end = code->end;
    return module;
}

static bool covered(const struct refresh *refresh, const struct map_line *code)
{
    return refresh->count > 0 && code->start >= refresh->found[refresh->count - 1]->start &&
           code->end <= refresh->found[refresh->count - 1]->end;
}

/* Whether LINE goes on with the file that `first` began. */
static bool same_file(const struct map_line *first, const struct map_line *line)
{
    return line->inode != 0 && first->inode == line->inode && first->device == line->device;
}

static int take_line(struct refresh *refresh, const struct map_line *line)
{
    struct modules *modules = refresh->modules;
    bool has_headers = line->offset == 0 && line->readable &&
                       (line->inode != 0 || (line->path_length > 0 && line->path[0] == '['));
    if (has_headers)
        refresh->first = *line;
    if (!line->executable || covered(refresh, line))
        return 0;
    bool of_first = same_file(&refresh->first, line) || has_headers;
    const struct map_line *first = of_first ? &refresh->first : line;
    struct module *module = known_file(modules, first, line);
    if (!module)
        module = known_memory(modules, line);
    if (!module) {
        module = read_module(modules->target, first, line);
        if (!module)
            return -ENOMEM;
        if (!module_list_add(modules, module)) {
            module_free(module);
            return -ENOMEM;
        }
    }
    if (!push(&refresh->found, &refresh->count, &refresh->capacity, module))
        return -ENOMEM;
    return 0;
}

/* What was mapped before and was not found again. */
static void retire_missing(struct refresh *refresh)
{
    struct modules *modules = refresh->modules;
    for (size_t i = 0; i < modules->mapped_count; i++) {
        struct module *old = modules->mapped[i];
        size_t at = position(refresh->found, refresh->count, old->start);
        if (at == refresh->count || refresh->found[at] != old) {
            old->retired = true;
            refresh->replaced = true;
        }
    }
}

/* Modules that a failed refresh has made; nobody has seen them. */
static void forget_new(struct modules *modules, size_t count_before)
{
    while (modules->count > count_before)
        module_free(modules->all[--modules->count]);
}

static int read_maps(struct modules *modules)
{
    char *text;
    ssize_t length = proc_read_whole(modules->target->live_fd, "maps", &text);
    if (length < 0)
        return (int)length;
    struct refresh refresh = { .modules = modules };
    size_t count_before = modules->count;
    const char *at = text;
    struct map_line line;
    int error = 0;
    while (error == 0 && map_line_next(&at, &line))
        error = take_line(&refresh, &line);
    if (error) {
        forget_new(modules, count_before);
        free(refresh.found);
    } else {
        retire_missing(&refresh);
        free(modules->mapped);
        modules->mapped = refresh.found;
        modules->mapped_count = refresh.count;
        if (refresh.replaced)
            modules->generation++;
    }
    free(text);
    return error;
}

int modules_refresh(struct modules *modules)
{
    /* The hash is taken first: what is mapped after it is found at the next refresh. */
    uint64_t hash;
    bool hashed = code_maps_hash(modules->target, &hash);
    if (hashed && modules->hashed && hash == modules->hash)
        return 0;
    int error = read_maps(modules);
    modules->hashed = hashed && error == 0;
    modules->hash = hash;
    return error;
}

uint64_t modules_generation(const struct modules *modules)
{
    return modules->generation;
}

size_t modules_count(const struct modules *modules)
{
    return modules->count;
}

const struct module *modules_at(const struct modules *modules, size_t index)
{
    return modules->all[index];
}

const char *module_name(const struct module *module)
{
    const char *slash = strrchr(module->path, '/');
    return slash && slash[1] ? slash + 1 : module->path;
}
