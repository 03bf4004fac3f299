/* threads_report.c: the report on threads, "threads" or, as Go says, "goroutine".
 *
 * Only binds the source of threads to the views of a thread dump. */
#include "reports/catalogue.h"

#include "profile/profile.h"
#include "reports/picture.h"
#include "sources/threads.h"
#include "views/threads_view.h"

static long count(struct lab *lab)
{
    return thread_source_count(lab->threads);
}

static int take(struct lab *lab, void **dump)
{
    struct picture *picture = NULL;
    int status = picture_take(lab, false, &picture);
    if (status == 0)
        *dump = picture;
    return status;
}

static void release(void *dump)
{
    picture_free(dump);
}

static size_t items(const void *dump)
{
    return ((const struct picture *)dump)->threads->count;
}

static uint64_t time_ns(const void *dump)
{
    return ((const struct picture *)dump)->threads->time_ns;
}

static void types(struct profile *profile, const void *now, const void *earlier)
{
    (void)now;
    (void)earlier;
    threads_profile_types(profile);
}

static void samples(struct profile *profile, const void *dump, int sign, bool with_tid)
{
    const struct picture *picture = dump;
    threads_profile_add(profile, picture->threads, picture->waits, sign, with_tid);
}

static void comments(struct profile *profile, const void *dump)
{
    threads_profile_comments(profile, ((const struct picture *)dump)->threads);
}

static void blocks(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    const struct picture *picture = dump;
    threads_write_blocks(sink, picture->threads, picture->waits, symbolizer);
}

static void groups(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    const struct picture *picture = dump;
    threads_write_groups(sink, picture->threads, picture->waits, symbolizer);
}

static void json(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    const struct picture *picture = dump;
    threads_write_json(sink, picture->threads, picture->waits, symbolizer);
}

const struct report threads_report = {
    .name = "threads",
    .alias = "goroutine",
    .about = "The stack of every thread, with what it is blocked in and for how long. "
             "No blocked thread is interrupted for it.",
    .count = count,
    .take = take,
    .release = release,
    .time_ns = time_ns,
    .items = items,
    .item = "thread",
    .types = types,
    .samples = samples,
    .comments = comments,
    .blocks = blocks,
    .groups = groups,
    .json = json,
};
