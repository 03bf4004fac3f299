/* threadleak_report.c: the threads that can never go on, "threadleak" or, as Go 1.27
 * says, "goroutineleak".
 *
 * The same samples as of the threads, of fewer threads: those in a deadlock or behind
 * one, and behind a lock whose owner is gone. A thread that only waits for long is not among them.
 */
#include "reports/catalogue.h"

#include "profile/profile.h"
#include "reports/picture.h"
#include "sources/threads.h"
#include "views/threads_view.h"
#include "waits/waits.h"

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

static size_t count_never(const struct picture *picture)
{
    size_t never = 0;
    for (size_t i = 0; i < picture->waits->count; i++)
        never += picture->waits->waits[i].never;
    return never;
}

static long count(struct lab *lab)
{
    struct picture *picture = NULL;
    int status = picture_take(lab, false, &picture);
    if (status)
        return status;
    long never = (long)count_never(picture);
    picture_free(picture);
    return never;
}

static size_t items(const void *dump)
{
    return count_never(dump);
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
    threads_profile_add_stuck(profile, picture->threads, picture->waits, sign, with_tid);
}

static void comments(struct profile *profile, const void *dump)
{
    const struct picture *picture = dump;
    profile_add_comment(profile, "%zu of %zu threads can never go on, in %zu deadlocks and behind",
                        count_never(picture), picture->threads->count, picture->waits->cycle_count);
    threads_profile_comments(profile, picture->threads);
}

static void blocks(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    const struct picture *picture = dump;
    threads_write_stuck_blocks(sink, picture->threads, picture->waits, symbolizer);
}

const struct report threadleak_report = {
    .name = "threadleak",
    .alias = "goroutineleak",
    .about = "The stacks of threads that can never go on: in a deadlock, behind one, or behind a "
             "lock whose owner is gone. Never one that only waits for long.",
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
};
