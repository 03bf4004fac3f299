/* routes.c: from a path to what answers it.
 *
 * A table of fixed paths; below /debug/pprof/ and /debug/ the names of the
 * reports, which come from their catalogue. Order of refusals: no such path (404),
 * not with this method (405), not with this query (400). */
#include "server/routes.h"

#include "server/exchange.h"

#include <errno.h>
#include <string.h>

#define DIFFERENCES_MOST 8 /* at a time, so that connections are left for everybody else */

static void redirect(struct exchange *exchange);

static const struct route {
    const char *path;
    void (*page)(struct exchange *exchange);
    unsigned parameters; /* a set of enum query_parameter */
    bool takes_post;     /* and then the query is a list of addresses, read by the page */
} routes[] = {
    { "/", page_front, QUERY_TOKEN, false },
    { "/debug", redirect, QUERY_TOKEN, false },
    { "/debug/", page_front, QUERY_TOKEN, false },
    { "/debug/vars", page_vars, QUERY_TOKEN, false },
    { "/metrics", page_metrics, QUERY_TOKEN, false },
    { "/debug/pprof", redirect, QUERY_TOKEN, false },
    { "/debug/pprof/", page_index, QUERY_TOKEN, false },
    { "/debug/pprof/cmdline", page_cmdline, QUERY_TOKEN, false },
    { "/debug/pprof/symbol", page_symbol, 0, true },
};

static void redirect(struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    exchange->reply.status = 301;
    reply_header(&exchange->reply, "Location: %s/%s%s", request->path, request->query[0] ? "?" : "",
                 request->query);
}

static void put_names(struct sink *sink, struct lab *lab, bool is_pprof)
{
    struct report_entry entry = { .report = NULL };
    while (report_next(lab, &entry)) {
        const struct report *report = entry.report;
        if (!report_has_form(report, is_pprof ? REPORT_PPROF : REPORT_GROUPS))
            continue;
        sink_plain(sink, entry.name);
        sink_puts(sink, ", ");
        if (is_pprof && report->alias && entry.part == 0)
            sink_printf(sink, "%s, ", report->alias);
    }
}

static void not_found(struct exchange *exchange, const char *path)
{
    static const char profiles[] = "/debug/pprof/";
    struct sink_buffer known;
    char quoted[80];
    bool is_pprof = strncmp(path, profiles, sizeof profiles - 1) == 0;
    sink_buffer_init(&known);
    if (is_pprof) {
        put_names(&known.sink, exchange->site->lab, true);
        sink_puts(&known.sink, "cmdline and symbol");
    } else {
        sink_puts(&known.sink,
                  "/, /metrics, /debug/, /debug/vars, /debug/pprof/ and below /debug/: ");
        put_names(&known.sink, exchange->site->lab, false);
        sink_puts(&known.sink, "pprof");
    }
    reply_quote(quoted, sizeof quoted, is_pprof ? path + sizeof profiles - 1 : path);
    reply_error(&exchange->reply, 404, "unknown %s \"%s\": known are %s",
                is_pprof ? "profile" : "page", quoted, known.bytes ? known.bytes : "");
    sink_buffer_free(&known);
}

static bool method_allowed(struct exchange *exchange, bool takes_post)
{
    const char *method = exchange->request.method;
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
        (takes_post && strcmp(method, "POST") == 0))
        return true;
    const char *allowed = takes_post ? "GET, HEAD, POST" : "GET, HEAD";
    char quoted[32];
    reply_error(&exchange->reply, 405, "method %s: %s is allowed here",
                reply_quote(quoted, sizeof quoted, method), allowed);
    reply_header(&exchange->reply, "Allow: %s", allowed);
    return false;
}

static bool query_allowed(struct exchange *exchange, unsigned parameters)
{
    char error[256];
    if (query_parse(exchange->request.query, parameters, &exchange->query, error, sizeof error))
        return true;
    reply_error(&exchange->reply, 400, "%s", error);
    return false;
}

/* The report of /debug/pprof/NAME or /debug/NAME; false when there is none. */
static bool find_report(struct exchange *exchange, struct report_entry *entry, bool *is_pprof)
{
    static const char debug[] = "/debug/";
    static const char pprof[] = "pprof/";
    const char *path = exchange->request.path;
    if (strncmp(path, debug, sizeof debug - 1) != 0)
        return false;
    const char *name = path + sizeof debug - 1;
    *is_pprof = strncmp(name, pprof, sizeof pprof - 1) == 0;
    if (*is_pprof)
        name += sizeof pprof - 1;
    return report_look_up(exchange->site->lab, name, entry) &&
           report_has_form(entry->report, *is_pprof ? REPORT_PPROF : REPORT_GROUPS) &&
           (*is_pprof || strcmp(name, entry->name) == 0); /* not by an alias */
}

/* The order that the query asks for; false with the refusal in the reply. */
static bool fill_order(struct exchange *exchange, const struct report_entry *entry, bool is_pprof)
{
    const struct report *report = entry->report;
    static const enum report_form by_debug[] = { REPORT_PPROF, REPORT_COUNTS, REPORT_BLOCKS };
    if (!query_allowed(exchange,
                       is_pprof ? QUERY_DEBUG | QUERY_SECONDS | QUERY_GC | QUERY_TID | QUERY_TOKEN
                                : QUERY_FORMAT | QUERY_TOKEN))
        return false;
    const struct query *query = &exchange->query;
    struct report_query *wish = &exchange->order.query;
    *wish = (struct report_query){
        .report = report, .part = entry->part, .seconds = query->seconds, .with_tid = query->tid
    };
    wish->form = is_pprof ? by_debug[query->debug] : query->json ? REPORT_JSON : REPORT_GROUPS;
    if (query->seconds > 0 && query->debug != 0) {
        reply_error(&exchange->reply, 400,
                    "seconds=%u with debug=%u: a difference comes with debug=0 only",
                    query->seconds, query->debug);
        return false;
    }
    if (!report_has_form(report, wish->form)) {
        reply_error(&exchange->reply, 400, "%s has no such form: leave out %s", report->name,
                    is_pprof ? "debug" : "format");
        return false;
    }
    if (query->seconds > 0 && exchange->site->differences >= DIFFERENCES_MOST) {
        reply_error(&exchange->reply, 503,
                    "%d differences are being taken already: ask again later", DIFFERENCES_MOST);
        return false;
    }
    return true;
}

static void describe(struct exchange *exchange)
{
    const struct report_query *wish = &exchange->order.query;
    struct reply *reply = &exchange->reply;
    switch (wish->form) {
    case REPORT_PPROF:
        reply->type = TYPE_BYTES;
        reply_header(reply, "Content-Disposition: attachment; filename=\"%s%s.pb.gz\"",
                     strrchr(exchange->request.path, '/') + 1, wish->seconds ? "-delta" : "");
        break;
    case REPORT_JSON: reply->type = TYPE_JSON; break;
    default: reply->type = TYPE_TEXT;
    }
}

static void leave_desk(struct exchange *exchange)
{
    exchange->is_ordered = false;
    if (exchange->order.query.seconds > 0)
        exchange->site->differences--;
}

static void report_done(struct report_order *order, int status, const void *bytes, size_t length)
{
    struct exchange *exchange =
        (struct exchange *)(void *)((char *)order - offsetof(struct exchange, order));
    leave_desk(exchange);
    if (status) {
        reply_error(&exchange->reply, 500, "%s could not be listed: %s", order->query.report->name,
                    strerror(-status));
    } else {
        describe(exchange);
        sink_write(&exchange->reply.sink, bytes, length);
    }
    exchange->finished(exchange);
}

static bool answer_report(struct exchange *exchange, const struct report_entry *entry,
                          bool is_pprof)
{
    if (!method_allowed(exchange, false) || !fill_order(exchange, entry, is_pprof))
        return true;
    exchange->order.done = report_done;
    exchange->is_ordered = true;
    if (exchange->order.query.seconds > 0)
        exchange->site->differences++;
    desk_submit(exchange->site->desk, &exchange->order);
    return false;
}

bool routes_answer(struct exchange *exchange)
{
    const char *path = exchange->request.path;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct route *route = &routes[i];
        if (strcmp(path, route->path) != 0)
            continue;
        if (method_allowed(exchange, route->takes_post) &&
            (route->takes_post || query_allowed(exchange, route->parameters)))
            route->page(exchange);
        return true;
    }
    bool is_pprof = false;
    struct report_entry entry;
    if (find_report(exchange, &entry, &is_pprof))
        return answer_report(exchange, &entry, is_pprof);
    if (path[0] == '/')
        not_found(exchange, path);
    else if (method_allowed(exchange, false)) /* not OPTIONS * or CONNECT HOST */
        reply_error(&exchange->reply, 400, "the target names no page: /debug/ is one");
    return true;
}

void routes_cancel(struct exchange *exchange)
{
    if (!exchange->is_ordered)
        return;
    desk_cancel(&exchange->order);
    leave_desk(exchange);
}
