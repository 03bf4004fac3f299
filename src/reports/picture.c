/* picture.c: threads and what they wait on, of one moment; see picture.h.
 *
 * Locks are read right after the stacks: what is proven of them rests on threads that
 * have not run in between. */
#include "reports/picture.h"

#include "modules/modules.h"
#include "reports/reports.h"
#include "sources/fds.h"
#include "sources/labels.h"
#include "sources/thread_notes.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "symbolize/symbolize.h"
#include "waits/waits.h"

#include <errno.h>
#include <stdlib.h>

#define THREADS_BUDGET_NS UINT64_C(10000000000)
#define FDS_BUDGET_NS UINT64_C(2000000000)

/* Tables that FDS was made with are as fresh as need be. A process without tracking is not searched
 * for it anew each time. */
static bool has_fresh_tracking(struct lab *lab, const struct fd_dump *fds)
{
    return fds ? fds->tracked
               : tracking_is_loaded(lab->tracking) && tracking_refresh(lab->tracking);
}

static int fill(struct lab *lab, bool with_fds, struct picture *picture)
{
    inner_ids_forget(&lab->target);
    if (!lab->target.self)
        symbolizer_read_ahead(lab->symbolizer);
    int status = thread_source_dump(lab->threads, THREADS_BUDGET_NS, &picture->threads);
    if (status)
        return status;
    if (labels_refresh(lab->labels, lab->labels_root))
        thread_notes_labels(picture->threads, lab->labels);
    /* Tracking's tables are found by them, and no stack may have been walked. */
    if (modules_count(lab->modules) == 0)
        modules_refresh(lab->modules);
    if (with_fds)
        status = fd_source_dump(lab->fds, false, FDS_BUDGET_NS, &picture->fds);
    if (status)
        return status;
    picture->waits = wait_source_find(lab->waits, picture->threads, picture->fds, FDS_BUDGET_NS);
    if (picture->waits && has_fresh_tracking(lab, picture->fds))
        thread_notes_starters(picture->threads, lab->tracking);
    return picture->waits ? 0 : -ENOMEM;
}

int picture_take(struct lab *lab, bool with_fds, struct picture **result)
{
    struct picture *picture = calloc(1, sizeof *picture);
    if (!picture)
        return -ENOMEM;
    int status = fill(lab, with_fds, picture);
    if (status)
        picture_free(picture);
    else
        *result = picture;
    return status;
}

void picture_free(struct picture *picture)
{
    if (!picture)
        return;
    waits_free(picture->waits);
    if (picture->fds)
        fd_dump_free(picture->fds);
    thread_dump_free(picture->threads);
    free(picture);
}
