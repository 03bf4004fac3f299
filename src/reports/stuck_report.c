/* stuck_report.c: /debug/stuck, the diagnosis. A text, and JSON; no profile. */
#include "reports/catalogue.h"

#include "reports/picture.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "stuck/stuck.h"
#include "views/stuck_view.h"

#include <errno.h>
#include <stdlib.h>

#define GROWING_MAX 16

struct diagnosis_dump {
    struct picture *picture;
    struct stuck_facts facts;
    struct stuck_list *list;
    struct stuck_growing growing[GROWING_MAX];
};

static void release(void *dump)
{
    struct diagnosis_dump *diagnosis = dump;
    stuck_free(diagnosis->list);
    picture_free(diagnosis->picture);
    free(diagnosis);
}

static int fill(struct lab *lab, struct diagnosis_dump *diagnosis)
{
    int status = picture_take(lab, true, &diagnosis->picture);
    if (status)
        return status;
    const struct lab_watcher *watcher = &lab->watcher;
    size_t growing =
        watcher->growing ? watcher->growing(watcher->user, diagnosis->growing, GROWING_MAX) : 0;
    bool tracked = tracking_refresh(lab->tracking);
    diagnosis->facts = (struct stuck_facts){
        .threads = diagnosis->picture->threads,
        .waits = diagnosis->picture->waits,
        .fds = diagnosis->picture->fds,
        .tracking = tracked ? lab->tracking : NULL,
        .symbolizer = lab->symbolizer,
        .growing = diagnosis->growing,
        .growing_count = growing,
    };
    diagnosis->list = stuck_find(lab->stuck, &diagnosis->facts);
    return diagnosis->list ? 0 : -ENOMEM;
}

static int take(struct lab *lab, void **dump)
{
    struct diagnosis_dump *diagnosis = calloc(1, sizeof *diagnosis);
    if (!diagnosis)
        return -ENOMEM;
    int status = fill(lab, diagnosis);
    if (status)
        release(diagnosis);
    else
        *dump = diagnosis;
    return status;
}

static long count(struct lab *lab)
{
    void *dump;
    int status = take(lab, &dump);
    if (status)
        return status;
    long findings = (long)((struct diagnosis_dump *)dump)->list->count;
    release(dump);
    return findings;
}

static size_t items(const void *dump)
{
    return ((const struct diagnosis_dump *)dump)->list->count;
}

static uint64_t time_ns(const void *dump)
{
    return ((const struct diagnosis_dump *)dump)->picture->threads->time_ns;
}

static void lines(struct sink *sink, const void *dump)
{
    stuck_write_lines(sink, ((const struct diagnosis_dump *)dump)->list);
}

static void groups(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    const struct diagnosis_dump *diagnosis = dump;
    (void)symbolizer;
    stuck_write_text(sink, diagnosis->list, &diagnosis->facts);
}

static void json(struct sink *sink, const void *dump, struct symbolizer *symbolizer)
{
    const struct diagnosis_dump *diagnosis = dump;
    (void)symbolizer;
    stuck_write_json(sink, diagnosis->list, &diagnosis->facts);
}

const struct report stuck_report = {
    .name = "stuck",
    .about = "What is stuck, the worst first: deadlocks, threads that have waited long and for "
             "what, sockets that nobody closes, a descriptor table that fills up, inventories that "
             "grow.",
    .count = count,
    .take = take,
    .release = release,
    .time_ns = time_ns,
    .items = items,
    .item = "finding",
    .lines = lines,
    .groups = groups,
    .json = json,
};
