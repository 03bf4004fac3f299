/* stuck_json.c: /debug/stuck?format=json, a diagnosis for scripts. What is not known is null. */
#include "views/stuck_view.h"

#include "base/sink.h"
#include "sources/fds.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "stuck/stuck.h"
#include "views/frames.h"

#include <inttypes.h>

static void put_threads(struct sink *sink, const struct stuck_facts *facts,
                        const struct finding *finding)
{
    for (size_t i = 0; i < finding->thread_count; i++)
        sink_printf(sink, "%s%d", i ? ", " : "",
                    (int)facts->threads->threads[finding->threads[i]].tid);
}

static void put_fds(struct sink *sink, const struct finding *finding)
{
    for (size_t i = 0; i < finding->fd_count; i++)
        sink_printf(sink, "%s%d", i ? ", " : "", finding->fds[i]);
}

static void put_finding(struct sink *sink, const struct stuck_facts *facts,
                        const struct finding *finding)
{
    sink_puts(sink, "\n  {\"kind\": ");
    sink_json_string(sink, finding_word(finding->kind));
    sink_puts(sink, ", \"sentence\": ");
    sink_json_string(sink, finding->sentence);
    sink_puts(sink, ",\n   \"tids\": [");
    put_threads(sink, facts, finding);
    sink_puts(sink, "], \"fds\": [");
    put_fds(sink, finding);
    sink_printf(sink, "], \"longest_ns\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"times\": %" PRIu64,
                finding->longest_ns, finding->bytes, finding->times);
    if (finding->holder != SIZE_MAX)
        sink_printf(sink, ", \"holder\": %d", (int)facts->threads->threads[finding->holder].tid);
    else
        sink_puts(sink, ", \"holder\": null");
    if (finding->cycle != SIZE_MAX)
        sink_printf(sink, ", \"deadlock\": %zu", finding->cycle + 1);
    else
        sink_puts(sink, ", \"deadlock\": null");
    sink_puts(sink, ",\n   \"opener\": ");
    if (finding->opener)
        frames_write_json(sink, finding->opener->frames, finding->opener->frame_count,
                          facts->symbolizer);
    else
        sink_puts(sink, "null");
    sink_puts(sink, "}");
}

static void put_growing(struct sink *sink, const struct stuck_facts *facts)
{
    for (size_t i = 0; i < facts->growing_count; i++) {
        sink_puts(sink, i ? ",\n  {\"sentence\": " : "\n  {\"sentence\": ");
        sink_json_string(sink, facts->growing[i].sentence);
        sink_printf(sink, ", \"leak\": %s}", facts->growing[i].is_leak ? "true" : "false");
    }
}

void stuck_write_json(struct sink *sink, const struct stuck_list *list,
                      const struct stuck_facts *facts)
{
    sink_printf(sink, "{\"time_ns\": %" PRIu64 ", \"threads\": %zu, \"descriptors\": ",
                facts->threads->time_ns, facts->threads->count);
    if (facts->fds)
        sink_printf(sink, "%zu", facts->fds->count);
    else
        sink_puts(sink, "null");
    sink_printf(sink, ", \"count\": %zu,\n \"findings\": [", list->count);
    for (size_t i = 0; i < list->count; i++) {
        sink_puts(sink, i ? "," : "");
        put_finding(sink, facts, &list->findings[i]);
    }
    sink_puts(sink, "],\n \"growing\": [");
    put_growing(sink, facts);
    sink_puts(sink, "]}\n");
}
