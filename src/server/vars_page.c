/* vars_page.c: /debug/vars: facts and counts for a script, in the shape of Go's expvar. */
#include "server/routes.h"

#include "server/exchange.h"
#include "watch/watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void write_arguments(struct sink *sink, struct lab *lab)
{
    size_t length;
    char *arguments = lab_arguments(lab, &length);
    const char *comma = "";
    sink_puts(sink, "[");
    /* A service may have written over its arguments: the last need not end. */
    for (size_t at = 0; at < length; at += strnlen(arguments + at, length - at) + 1) {
        sink_puts(sink, comma);
        sink_json_string(sink, arguments + at);
        comma = ", ";
    }
    sink_puts(sink, "]");
    free(arguments);
}

static void write_number(struct sink *sink, long count)
{
    if (count < 0)
        sink_puts(sink, "null");
    else
        sink_printf(sink, "%ld", count);
}

/* The parts of REPORT, whose names may be any, in an object of their own. */
static void write_parts(struct sink *sink, struct lab *lab, const struct report *report)
{
    const char *comma = "";
    char name[REPORT_NAME_SIZE];
    unsigned how_many = report->parts->how_many(lab);
    sink_printf(sink, ",\n\"%s\": {", report->parts->called);
    for (unsigned part = 1; part <= how_many; part++) {
        if (!report->parts->name(lab, part, name))
            continue;
        sink_puts(sink, comma);
        sink_json_string(sink, name);
        sink_puts(sink, ": ");
        write_number(sink, report->parts->count(lab, part));
        comma = ", ";
    }
    sink_puts(sink, "}");
}

static void write_counts(struct sink *sink, struct lab *lab)
{
    for (const struct report *const *row = report_catalogue; *row; row++) {
        sink_printf(sink, ",\n\"%s\": ", (*row)->name);
        write_number(sink, (*row)->count(lab));
        if ((*row)->parts)
            write_parts(sink, lab, *row);
    }
}

/* What the monitor has seen grow; null where nothing is watched. */
static void write_growing(struct sink *sink, const struct watch *watch)
{
    size_t count;
    const struct watch_growth *list = watch_growing(watch, &count);
    sink_puts(sink, ",\n\"growing\": ");
    if (!watch) {
        sink_puts(sink, "null");
        return;
    }
    sink_puts(sink, "[");
    for (size_t i = 0; i < count; i++) {
        sink_puts(sink, i ? ",\n  {\"profile\": " : "\n  {\"profile\": ");
        sink_json_string(sink, list[i].profile);
        sink_puts(sink, ", \"place\": ");
        sink_json_string(sink, list[i].place[0] ? list[i].place : NULL);
        sink_printf(sink,
                    ", \"value\": %" PRIu64 ", \"from\": %" PRIu64 ", \"now\": %" PRIu64
                    ", \"seconds\": %" PRIu64 ", \"per_hour\": %.3f, \"alarm\": %s, \"why\": ",
                    list[i].value, list[i].from, list[i].now, list[i].for_ns / 1000000000,
                    list[i].per_hour, list[i].is_alarm ? "true" : "false");
        sink_json_string(sink, list[i].why);
        sink_puts(sink, "}");
    }
    sink_puts(sink, "]");
}

void page_vars(struct exchange *exchange)
{
    struct sink *sink = &exchange->reply.sink;
    struct lab *lab = exchange->site->lab;
    char program[512];
    lab_program(lab, program, sizeof program);
    desk_used(exchange->site->desk);
    exchange->reply.type = TYPE_JSON;
    sink_puts(sink, "{\n\"cmdline\": ");
    write_arguments(sink, lab);
    sink_puts(sink, ",\n\"program\": ");
    sink_json_string(sink, program);
    sink_printf(sink, ",\n\"pid\": %d,\n\"uptime_seconds\": %" PRIu64 ",\n\"snag_version\": ",
                (int)lab->target.pid, lab_uptime_ns(lab) / 1000000000);
    sink_json_string(sink, exchange->site->version);
    write_counts(sink, lab);
    write_growing(sink, exchange->site->watch);
    sink_puts(sink, "\n}\n");
}
