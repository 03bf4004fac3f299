/* handles_report.c: the report on live handles, "handles", and each inventory by its own name.
 *
 * Only binds the source of inventories to the views of its dump. An inventory is a part of the
 * report: it exists from the moment that the service makes it. */
#include "reports/catalogue.h"

#include "modules/modules.h"
#include "profile/profile.h"
#include "sources/inventories.h"
#include "views/handles_view.h"

static int take_part(struct lab *lab, unsigned part, bool with_details, void **dump)
{
    const struct inventory_wish wish = {
        .root = lab->handles_root,
        .labels_root = lab->labels_root,
        .number = part,
        .with_details = with_details,
    };
    struct handle_dump *handles = NULL;
    modules_refresh(lab->modules); /* names the stacks */
    int status = inventory_source_dump(lab->inventories, &wish, &handles);
    if (status == 0)
        *dump = handles;
    return status;
}

static int take(struct lab *lab, void **dump)
{
    return take_part(lab, 0, false, dump);
}

static int take_details(struct lab *lab, void **dump)
{
    return take_part(lab, 0, true, dump);
}

static void release(void *dump)
{
    handle_dump_free(dump);
}

static unsigned how_many(struct lab *lab)
{
    return inventory_source_count(lab->inventories, lab->handles_root);
}

static bool name_of(struct lab *lab, unsigned part, char name[REPORT_NAME_SIZE])
{
    _Static_assert(INVENTORY_NAME_SIZE <= REPORT_NAME_SIZE, "room for a name");
    return inventory_source_name(lab->inventories, lab->handles_root, part, name);
}

static long count_part(struct lab *lab, unsigned part)
{
    return inventory_source_live(lab->inventories, lab->handles_root, part);
}

static long count(struct lab *lab)
{
    return count_part(lab, 0);
}

static size_t items(const void *dump)
{
    return (size_t)((const struct handle_dump *)dump)->live;
}

static uint64_t time_ns(const void *dump)
{
    return ((const struct handle_dump *)dump)->time_ns;
}

static void types(struct profile *profile, const void *now, const void *earlier)
{
    handles_profile_types(profile, now, earlier);
}

static void samples(struct profile *profile, const void *dump, int sign, bool with_ages)
{
    handles_profile_add(profile, dump, sign, with_ages);
}

static void comments(struct profile *profile, const void *dump)
{
    handles_profile_comments(profile, dump);
}

static void blocks(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    handles_write_blocks(sink, dump, symbolizer);
}

static void groups(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    handles_write_groups(sink, dump, symbolizer);
}

static void json(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    handles_write_json(sink, dump, symbolizer);
}

static const struct report_parts inventories = {
    .called = "inventories",
    .how_many = how_many,
    .name = name_of,
    .count = count_part,
    .take = take_part,
};

const struct report handles_report = {
    .name = "handles",
    .about = "Live handles of all inventories that the service keeps with snag_profile_add or "
             "SNAG_TRACK: who holds them, how old and how large they are. Each inventory is a "
             "profile of its own, too.",
    .parts = &inventories,
    .is_numbered = true,
    .count = count,
    .take = take,
    .take_details = take_details,
    .release = release,
    .time_ns = time_ns,
    .items = items,
    .item = "handle",
    .types = types,
    .samples = samples,
    .comments = comments,
    .blocks = blocks,
    .groups = groups,
    .json = json,
};
