/* index_page.c: /debug/pprof/ in the manner of net/http/pprof: each profile
 * with its count, then a paragraph on each. */
#include "server/routes.h"

#include "server/exchange.h"
#include "server/page.h"

#include <stdio.h>

/* The pages that are no profile. */
static const struct {
    const char *name, *about;
} others[] = {
    { "cmdline", "The command line of this process." },
    { "symbol", "Names for code addresses, in the query of a GET or the body of a POST: "
                "0x1234+0x5678. pprof asks here." },
};

#define OTHERS_COUNT (sizeof others / sizeof *others)

static void html_rows(struct exchange *exchange)
{
    struct sink *sink = &exchange->reply.sink;
    char text[32];
    char href[100];
    struct report_entry entry = { .report = NULL };
    while (report_next(exchange->site->lab, &entry)) {
        if (!report_has_form(entry.report, REPORT_PPROF))
            continue;
        snprintf(href, sizeof href, "%s?debug=1", entry.name);
        sink_printf(sink, "<tr><td class=\"n\">%s<td>%s",
                    page_count(exchange, &entry, text, sizeof text),
                    entry.part > 0 ? "&nbsp;&nbsp;" : "");
        page_link(exchange, href, entry.name);
        sink_puts(sink, "\n");
    }
    sink_puts(sink, "<tr><td><td>");
    page_link(exchange, "cmdline", "cmdline");
    sink_puts(sink, "\n");
}

static void html_index(struct exchange *exchange)
{
    struct sink *sink = &exchange->reply.sink;
    page_begin(exchange, "/debug/pprof/");
    sink_puts(sink, "<p>Without <code>debug=1</code> a profile comes as gzip'd protobuf, for "
                    "<code>go tool pprof</code>.\n<h2>Types of profiles available</h2>\n<table>\n"
                    "<tr><th>Count<th>Profile\n");
    html_rows(exchange);
    sink_puts(sink, "</table>\n<p>");
    page_link(exchange, "threads?debug=2", "full thread stack dump");
    sink_puts(sink, "\n<h2>Profile descriptions</h2>\n<dl>\n");
    for (const struct report *const *row = report_catalogue; *row; row++) {
        if (!report_has_form(*row, REPORT_PPROF))
            continue;
        sink_printf(sink, "<dt>%s", (*row)->name);
        if ((*row)->alias)
            sink_printf(sink, ", also %s", (*row)->alias);
        sink_puts(sink, "<dd>");
        sink_html(sink, (*row)->about);
        sink_puts(sink, "\n");
    }
    for (size_t i = 0; i < OTHERS_COUNT; i++) {
        sink_printf(sink, "<dt>%s<dd>", others[i].name);
        sink_html(sink, others[i].about);
        sink_puts(sink, "\n");
    }
    sink_puts(sink, "</dl>\n<p>");
    page_link(exchange, "/debug/", "back");
    sink_puts(sink, "\n");
    page_end(exchange);
}

static void text_index(struct exchange *exchange)
{
    struct sink *sink = &exchange->reply.sink;
    char text[32];
    sink_puts(sink, "/debug/pprof/\n\ncount profile\n");
    struct report_entry entry = { .report = NULL };
    while (report_next(exchange->site->lab, &entry)) {
        if (!report_has_form(entry.report, REPORT_PPROF))
            continue;
        sink_printf(sink, "%5s %s", page_count(exchange, &entry, text, sizeof text),
                    entry.part > 0 ? "  " : "");
        sink_plain(sink, entry.name);
        if (entry.part == 0 && entry.report->alias)
            sink_printf(sink, ", also %s", entry.report->alias);
        sink_puts(sink, "\n");
        if (entry.part == 0)
            sink_printf(sink, "      %s\n", entry.report->about);
    }
    for (size_t i = 0; i < OTHERS_COUNT; i++)
        sink_printf(sink, "      %s\n      %s\n", others[i].name, others[i].about);
    sink_puts(sink, "\nAdd ?debug=1 for text grouped by stack, ?debug=2 for one block for each.\n"
                    "full thread stack dump: threads?debug=2\n");
}

void page_index(struct exchange *exchange)
{
    desk_used(exchange->site->desk);
    if (page_wants_html(exchange))
        html_index(exchange);
    else
        text_index(exchange);
}
