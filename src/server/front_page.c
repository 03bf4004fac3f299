/* front_page.c: / and /debug/: what this process is, what is stuck in it, what grows, what there is
 * and where to look on. In this order: who opens it has been told that something is wrong. */
#include "server/routes.h"

#include "server/exchange.h"
#include "server/page.h"
#include "watch/watch.h"

#include <stdio.h>
#include <string.h>

#define STUCK_SHOWN 8 /* findings; the others are on their own page */

typedef void put_function(struct sink *sink, const char *text);

struct facts {
    char program[512];
    uint64_t uptime_ns;
    long stuck;               /* how many findings; negative: not to be had */
    struct sink_buffer lines; /* of the findings, one each */
};

static void gather_stuck(struct lab *lab, struct facts *facts)
{
    const struct report *report = report_find("stuck");
    void *dump;
    facts->stuck = report->take(lab, &dump);
    if (facts->stuck < 0)
        return;
    facts->stuck = (long)report->items(dump);
    report->lines(&facts->lines.sink, dump);
    report->release(dump);
}

static void gather(struct exchange *exchange, struct facts *facts)
{
    struct lab *lab = exchange->site->lab;
    lab_program(lab, facts->program, sizeof facts->program);
    facts->uptime_ns = lab_uptime_ns(lab);
    sink_buffer_init(&facts->lines);
    gather_stuck(lab, facts);
    desk_used(exchange->site->desk);
}

/* What a shell needs in front of a path: "http://127.0.0.1:6060", or for a
 * Unix socket curl's way of saying it. */
static void write_base(struct sink *sink, const struct site *site, put_function *put)
{
    if (strncmp(site->address, "unix:", 5) == 0) {
        sink_puts(sink, "--unix-socket ");
        put(sink, site->address + 5);
        sink_puts(sink, " http://localhost");
        return;
    }
    sink_puts(sink, "http://");
    put(sink, site->address);
}

static void write_commands(struct exchange *exchange, put_function *put)
{
    struct sink *sink = &exchange->reply.sink;
    const struct site *site = exchange->site;
    bool is_unix = strncmp(site->address, "unix:", 5) == 0;
    sink_puts(sink, "curl ");
    write_base(sink, site, put);
    sink_puts(sink, "/debug/threads\n");
    if (is_unix) {
        sink_puts(sink, "curl ");
        write_base(sink, site, put);
        sink_puts(sink, "/debug/pprof/threads >threads.pb.gz\ngo tool pprof threads.pb.gz\n");
        return;
    }
    sink_puts(sink, "go tool pprof ");
    write_base(sink, site, put);
    sink_puts(sink, "/debug/pprof/threads\n");
}

/* Goes to the next report that counts what there is. */
static bool next_count(struct lab *lab, struct report_entry *entry)
{
    while (report_next(lab, entry))
        if (report_has_form(entry->report, REPORT_PPROF))
            return true;
    return false;
}

/* Where ENTRY can be read as text. */
static void report_path(const struct report_entry *entry, char *path, size_t size)
{
    if (report_has_form(entry->report, REPORT_GROUPS))
        snprintf(path, size, "/debug/%s", entry->name);
    else
        snprintf(path, size, "/debug/pprof/%s?debug=2", entry->name);
}

/* The findings, the first of them: BEFORE the first, BETWEEN two, AFTER the last. */
static void write_stuck(struct sink *sink, const struct facts *facts, const char *before,
                        const char *between, const char *after, put_function *put)
{
    char *line = facts->lines.bytes;
    if (facts->stuck <= 0 || !line)
        return;
    for (size_t i = 0; i < STUCK_SHOWN && *line; i++) {
        char *end = strchrnul(line, '\n');
        char *next = *end ? end + 1 : end;
        *end = 0;
        sink_puts(sink, i ? between : before);
        put(sink, line);
        line = next;
    }
    if (*line)
        sink_printf(sink, "%sand %ld more", between, facts->stuck - STUCK_SHOWN);
    sink_puts(sink, after);
}

/* What the monitor has seen grow; nothing at all where nothing grows or nothing is watched. */
static void write_growing(struct exchange *exchange, const char *before, const char *between,
                          const char *after, put_function *put)
{
    struct sink *sink = &exchange->reply.sink;
    size_t count;
    const struct watch_growth *list = watch_growing(exchange->site->watch, &count);
    for (size_t i = 0; i < count; i++) {
        struct sink_buffer words;
        sink_buffer_init(&words);
        watch_growth_write_verdict(&words.sink, &list[i]);
        sink_puts(sink, i ? between : before);
        put(sink, words.bytes ? words.bytes : "");
        sink_buffer_free(&words);
    }
    if (count > 0)
        sink_puts(sink, after);
}

static void html_stuck(struct exchange *exchange, const struct facts *facts)
{
    struct sink *sink = &exchange->reply.sink;
    sink_puts(sink, "<h2>What is stuck</h2>\n");
    write_stuck(sink, facts, "<ol>\n<li>", "\n<li>", "\n</ol>\n", sink_html);
    sink_puts(sink, facts->stuck == 0 ? "<p>Nothing. " : "<p>");
    page_link(exchange, "/debug/stuck",
              facts->stuck > 0 ? "With stacks and descriptors" : "The diagnosis");
    sink_puts(sink, "\n");
}

static void html_counts(struct exchange *exchange)
{
    struct sink *sink = &exchange->reply.sink;
    char text[32];
    char href[160];
    struct report_entry entry = { .report = NULL };
    sink_puts(sink, "<h2>What there is now</h2>\n<table>\n");
    while (next_count(exchange->site->lab, &entry)) {
        report_path(&entry, href, sizeof href);
        sink_printf(sink, "<tr><td class=\"n\">%s<td>%s",
                    page_count(exchange, &entry, text, sizeof text),
                    entry.part > 0 ? "&nbsp;&nbsp;" : "");
        page_link(exchange, href, entry.name);
        sink_puts(sink, "<td>");
        sink_html(sink, entry.part > 0 ? "" : entry.report->about);
        sink_puts(sink, "\n");
    }
    sink_puts(sink, "</table>\n<p>");
    page_link(exchange, "/debug/pprof/", "Profiles for pprof");
    sink_puts(sink, " · ");
    page_link(exchange, "/debug/vars", "Counts as JSON");
    sink_puts(sink, " · ");
    page_link(exchange, "/metrics", "Counts for Prometheus");
    sink_puts(sink, "\n");
}

static void html_front(struct exchange *exchange, const struct facts *facts)
{
    struct sink *sink = &exchange->reply.sink;
    page_begin(exchange, "snag");
    sink_puts(sink, "<table>\n<tr><th>program<td><code>");
    sink_html(sink, facts->program);
    sink_printf(sink, "</code>\n<tr><th>process<td>%d, up ", (int)exchange->site->lab->target.pid);
    sink_duration(sink, facts->uptime_ns);
    sink_puts(sink, "\n<tr><th>listens on<td>");
    sink_html(sink, exchange->site->address);
    sink_puts(sink, "\n</table>\n");
    html_stuck(exchange, facts);
    write_growing(exchange, "<h2>What is growing</h2>\n<ul>\n<li>", "\n<li>", "\n</ul>\n",
                  sink_html);
    html_counts(exchange);
    sink_puts(sink, "<h2>From a shell</h2>\n<pre>");
    write_commands(exchange, sink_html);
    sink_puts(sink, "</pre>\n<p>snag ");
    sink_html(sink, exchange->site->version);
    sink_puts(sink, "\n");
    page_end(exchange);
}

static void text_counts(struct exchange *exchange)
{
    struct sink *sink = &exchange->reply.sink;
    char text[32];
    char path[160];
    struct report_entry entry = { .report = NULL };
    while (next_count(exchange->site->lab, &entry)) {
        report_path(&entry, path, sizeof path);
        sink_printf(sink, "%8s %s%-*s %s", page_count(exchange, &entry, text, sizeof text),
                    entry.part > 0 ? "  " : "", entry.part > 0 ? 10 : 12, entry.name, path);
        if (report_has_form(entry.report, REPORT_JSON))
            sink_printf(sink, "  %s?format=json", path);
        sink_puts(sink, "\n");
    }
}

static void text_front(struct exchange *exchange, const struct facts *facts)
{
    struct sink *sink = &exchange->reply.sink;
    sink_printf(sink, "snag %s on %s\n", exchange->site->version, exchange->site->address);
    sink_printf(sink, "process %d, up ", (int)exchange->site->lab->target.pid);
    sink_duration(sink, facts->uptime_ns);
    sink_puts(sink, ": ");
    sink_plain(sink, facts->program);
    sink_puts(sink, "\n\n");
    write_stuck(sink, facts, "stuck:   ", "\n         ", "\n", sink_plain);
    if (facts->stuck == 0)
        sink_puts(sink, "nothing stuck\n");
    write_growing(exchange, "growing: ", "\n         ", "\n", sink_plain);
    sink_puts(sink, "\n");
    text_counts(exchange);
    sink_puts(sink, "\nstacks of what is stuck: /debug/stuck  /debug/stuck?format=json\n"
                    "profiles for pprof:      /debug/pprof/\n"
                    "counts for scripts:      /debug/vars  /metrics\n\n");
    write_commands(exchange, sink_plain);
}

void page_front(struct exchange *exchange)
{
    struct facts facts;
    gather(exchange, &facts);
    if (page_wants_html(exchange))
        html_front(exchange, &facts);
    else
        text_front(exchange, &facts);
    sink_buffer_free(&facts.lines);
}
