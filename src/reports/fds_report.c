/* fds_report.c: the report on descriptors, "fds".
 *
 * Only binds the source of descriptors to the views of its dump. What every descriptor's fdinfo
 * says costs several times the rest, so it is read only for the forms that show it. */
#include "reports/catalogue.h"

#include "modules/modules.h"
#include "profile/profile.h"
#include "sources/fds.h"
#include "views/fds_view.h"

#define DUMP_BUDGET_NS UINT64_C(5000000000)

static long count(struct lab *lab)
{
    return fd_source_count(lab->fds);
}

static int take_dump(struct lab *lab, bool with_details, void **dump)
{
    struct fd_dump *fds = NULL;
    modules_refresh(lab->modules); /* tells where tracking has its tables, and names its stacks */
    int status = fd_source_dump(lab->fds, with_details, DUMP_BUDGET_NS, &fds);
    if (status == 0)
        *dump = fds;
    return status;
}

static int take(struct lab *lab, void **dump)
{
    return take_dump(lab, false, dump);
}

static int take_details(struct lab *lab, void **dump)
{
    return take_dump(lab, true, dump);
}

static void release(void *dump)
{
    fd_dump_free(dump);
}

static size_t items(const void *dump)
{
    return ((const struct fd_dump *)dump)->count;
}

static uint64_t time_ns(const void *dump)
{
    return ((const struct fd_dump *)dump)->time_ns;
}

static void types(struct profile *profile, const void *now, const void *earlier)
{
    (void)now;
    (void)earlier;
    fds_profile_types(profile);
}

static void samples(struct profile *profile, const void *dump, int sign, bool with_numbers)
{
    fds_profile_add(profile, dump, sign, with_numbers);
}

static void comments(struct profile *profile, const void *dump)
{
    fds_profile_comments(profile, dump);
}

static void blocks(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    fds_write_blocks(sink, dump, symbolizer);
}

static void groups(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    fds_write_groups(sink, dump, symbolizer);
}

static void json(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    fds_write_json(sink, dump, symbolizer);
}

const struct report fds_report = {
    .name = "fds",
    .about = "Every open descriptor: what it is, where it leads, what waits in it unread and, "
             "with libsnag-track, who opened it.",
    .is_numbered = true,
    .count = count,
    .take = take,
    .take_details = take_details,
    .release = release,
    .time_ns = time_ns,
    .items = items,
    .item = "descriptor",
    .types = types,
    .samples = samples,
    .comments = comments,
    .blocks = blocks,
    .groups = groups,
    .json = json,
};
