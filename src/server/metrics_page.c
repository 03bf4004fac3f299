/* metrics_page.c: /metrics, the counts in Prometheus' text format (version 0.0.4).
 *
 * The names that begin with process_ are those of every Prometheus client library. */
#include "server/routes.h"

#include "server/exchange.h"
#include "watch/counts.h"
#include "watch/watch.h"

#include <inttypes.h>

#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

static void head(struct sink *sink, const char *name, const char *type, const char *help)
{
    sink_printf(sink, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_count(struct sink *sink, const char *name, const char *help, long value)
{
    if (value < 0)
        return; /* not known: no value is better than a wrong one */
    head(sink, name, "gauge", help);
    sink_printf(sink, "%s %ld\n", name, value);
}

static void put_bytes(struct sink *sink, const char *name, const char *help, uint64_t value)
{
    if (value == 0)
        return;
    head(sink, name, "gauge", help);
    if (value == UINT64_MAX)
        sink_printf(sink, "%s +Inf\n", name);
    else
        sink_printf(sink, "%s %" PRIu64 "\n", name, value);
}

static void put_process(struct sink *sink, const struct counts *counts)
{
    head(sink, "process_cpu_seconds_total", "counter",
         "Total user and system CPU time spent in seconds.");
    sink_printf(sink, "process_cpu_seconds_total %.2f\n", counts->processor_seconds);
    put_count(sink, "process_open_fds", "Number of open file descriptors.", counts->fds);
    put_bytes(sink, "process_max_fds", "Maximum number of open file descriptors.",
              counts->fd_limit);
    put_bytes(sink, "process_resident_memory_bytes", "Resident memory size in bytes.",
              counts->resident_bytes);
    put_bytes(sink, "process_virtual_memory_bytes", "Virtual memory size in bytes.",
              counts->virtual_bytes);
    put_bytes(sink, "process_virtual_memory_max_bytes",
              "Maximum amount of virtual memory available in bytes.", counts->virtual_limit);
    if (counts->started > 0) {
        head(sink, "process_start_time_seconds", "gauge",
             "Start time of the process since unix epoch in seconds.");
        sink_printf(sink, "process_start_time_seconds %.2f\n", counts->started);
    }
}

/* A name is letters, digits, '.', '_' and '-': nothing to escape. */
static void put_inventories(struct sink *sink, const struct counts *counts)
{
    if (counts->inventory_count == 0)
        return;
    head(sink, "snag_handles", "gauge", "Live handles of an inventory.");
    for (size_t i = 0; i < counts->inventory_count; i++)
        if (counts->inventories[i].live >= 0)
            sink_printf(sink, "snag_handles{inventory=\"%s\"} %ld\n", counts->inventories[i].name,
                        counts->inventories[i].live);
}

/* A label's value: backslash, quote and newline are escaped. */
static void put_value(struct sink *sink, const char *text)
{
    sink_puts(sink, "\"");
    for (; *text; text++) {
        if (*text == '\n')
            sink_puts(sink, "\\n");
        else if (*text == '\\' || *text == '"')
            sink_printf(sink, "\\%c", *text);
        else
            sink_write(sink, text, 1);
    }
    sink_puts(sink, "\"");
}

static void put_growth(struct sink *sink, const struct watch *watch)
{
    size_t count;
    const struct watch_growth *list = watch_growing(watch, &count);
    if (!watch)
        return;
    size_t alarms = 0;
    for (size_t i = 0; i < count; i++)
        alarms += list[i].is_alarm;
    put_count(sink, "snag_growth_alarms", "Things that grow as no load does.", (long)alarms);
    if (count == 0)
        return;
    head(sink, "snag_growth_per_hour", "gauge",
         "Steady growth of a profile, or of one place in it.");
    for (size_t i = 0; i < count; i++) {
        sink_puts(sink, "snag_growth_per_hour{profile=");
        put_value(sink, list[i].profile);
        sink_puts(sink, ",place=");
        put_value(sink, list[i].place);
        sink_printf(sink, ",group=\"%" PRIx64 "\"", list[i].key); /* places may be alike */
        sink_printf(sink, ",alarm=\"%s\"} %.3f\n", list[i].is_alarm ? "true" : "false",
                    list[i].per_hour);
    }
}

void page_metrics(struct exchange *exchange)
{
    struct sink *sink = &exchange->reply.sink;
    struct counts counts;
    counts_take(exchange->site->lab, &counts);
    exchange->reply.type = TYPE_METRICS;
    put_process(sink, &counts);
    put_count(sink, "snag_threads", "Threads of the process, snag's own left out.", counts.threads);
    put_inventories(sink, &counts);
    put_growth(sink, exchange->site->watch);
    desk_used(exchange->site->desk);
}
