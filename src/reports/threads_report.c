/* threads_report.c: the report on threads, "threads" or, as Go says, "goroutine".
 *
 * Only binds the source of threads to the views of a thread dump. */
#include "reports/catalogue.h"

#include "profile/profile.h"
#include "sources/threads.h"
#include "views/threads_view.h"

#define DUMP_BUDGET_NS UINT64_C(10000000000)

static long count(struct lab *lab)
{
    return thread_source_count(lab->threads);
}

static int take(struct lab *lab, void **dump)
{
    struct thread_dump *threads = NULL;
    int status = thread_source_dump(lab->threads, DUMP_BUDGET_NS, &threads);
    if (status == 0)
        *dump = threads;
    return status;
}

static void release(void *dump)
{
    thread_dump_free(dump);
}

static uint64_t time_ns(const void *dump)
{
    return ((const struct thread_dump *)dump)->time_ns;
}

static void samples(struct profile *profile, const void *dump, int sign, bool with_tid)
{
    threads_profile_add(profile, dump, sign, with_tid);
}

static void comments(struct profile *profile, const void *dump)
{
    threads_profile_comments(profile, dump);
}

static void blocks(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    threads_write_blocks(sink, dump, symbolizer);
}

static void groups(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    threads_write_groups(sink, dump, symbolizer);
}

static void json(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    threads_write_json(sink, dump, symbolizer);
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
    .types = threads_profile_types,
    .samples = samples,
    .comments = comments,
    .blocks = blocks,
    .groups = groups,
    .json = json,
};
