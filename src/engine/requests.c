/* requests.c: what service threads ask for by snag_write; see requests.h.
 *
 * The list is a stack that any thread pushes on and that is taken whole, so
 * no push can meet a half-taken list. A request is an order like any other; its
 * bytes are handed over as the mapping they are in, since the asker has another heap. */
#include "engine/requests.h"

#include "base/sink.h"
#include "engine/engine.h"
#include "leak/leak.h"
#include "reports/reports.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct request_order {
    struct report_order order; /* first: done() is given a pointer to it */
    struct engine_request *request;
};

/* The asker may return, and REQUEST be gone, from the moment `done` is 1. The
 * wake-up then only names an address. */
static void answer(struct engine_request *request, int status)
{
    request->status = status;
    atomic_store(&request->done, 1);
    syscall(SYS_futex, &request->done, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void report_done(struct report_order *order, int status, const void *bytes, size_t length)
{
    struct request_order *own = (struct request_order *)order;
    if (status == 0) {
        struct sink_buffer copy;
        sink_buffer_init(&copy);
        sink_write(&copy.sink, bytes, length);
        status = copy.sink.error;
        own->request->bytes = copy.bytes;
        own->request->length = copy.length;
        own->request->capacity = copy.capacity;
    }
    answer(own->request, status);
    free(own);
}

static void take_one(struct engine_request *request, struct report_desk *desk, struct lab *lab)
{
    static const enum report_form by_debug[] = { REPORT_PPROF, REPORT_COUNTS, REPORT_BLOCKS };
    struct report_entry entry;
    if (!report_look_up(lab, request->profile, &entry) ||
        !report_has_form(entry.report, REPORT_PPROF)) {
        answer(request, -ENOENT);
        return;
    }
    if (request->debug < 0 || request->debug > 2 ||
        !report_has_form(entry.report, by_debug[request->debug])) {
        answer(request, -EINVAL);
        return;
    }
    struct request_order *own = calloc(1, sizeof *own);
    if (!own) {
        answer(request, -ENOMEM);
        return;
    }
    own->request = request;
    own->order.query.report = entry.report;
    own->order.query.part = entry.part;
    own->order.query.form = by_debug[request->debug];
    own->order.done = report_done;
    desk_submit(desk, &own->order);
}

/* A leak check is not an order: nobody else can be waiting for the same. */
static void check_leaks(struct engine_request *request, struct report_desk *desk, struct lab *lab)
{
    struct sink_buffer report;
    sink_buffer_init(&report);
    int status = leaks_find(lab, request->leaks, &report.sink);
    if (status == 0)
        status = report.sink.error;
    request->bytes = report.bytes;
    request->length = report.length;
    request->capacity = report.capacity;
    answer(request, status);
    desk_used(desk);
}

void requests_take(struct engine_host *host, struct report_desk *desk, struct lab *lab)
{
    struct engine_request *request = atomic_exchange(&host->requests, NULL);
    while (request) {
        struct engine_request *next = request->next; /* it is the asker's once answered */
        if (request->leaks)
            check_leaks(request, desk, lab);
        else
            take_one(request, desk, lab);
        request = next;
    }
}

void requests_cancel(struct engine_host *host)
{
    struct engine_request *request = atomic_exchange(&host->requests, NULL);
    while (request) {
        struct engine_request *next = request->next;
        answer(request, -ECANCELED);
        request = next;
    }
}
