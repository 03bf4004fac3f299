/* handles_json.c: /debug/handles?format=json, everything known, for scripts.
 *
 * Handles are strings, as JSON readers lose the low bits of 64-bit numbers. */
#include "views/handles_view.h"

#include "base/sink.h"
#include "sources/inventories.h"
#include "views/frames.h"
#include "views/label_words.h"

#include <inttypes.h>

static void put_text(struct sink *sink, const char *key, const char *text)
{
    sink_printf(sink, ", \"%s\": ", key);
    sink_json_string(sink, text);
}

static void put_number(struct sink *sink, const char *key, uint64_t number)
{
    sink_printf(sink, ", \"%s\": %" PRIu64, key, number);
}

static void put_stack(struct sink *sink, const struct pooled_stack *stack,
                      struct symbolizer *symbolizer)
{
    put_text(sink, "partial", stack->partial);
    sink_puts(sink, ", \"frames\": ");
    frames_write_json(sink, stack->frames, stack->count, symbolizer);
}

static void put_ages(struct sink *sink, const struct handle_holding *holding)
{
    sink_puts(sink, ",\n    \"ages\": [");
    for (size_t i = 0; i < holding->age_count; i++) {
        const struct age_bucket *bucket = &holding->ages[i];
        sink_printf(sink,
                    "%s{\"at_least_s\": %" PRIu64 ", \"count\": %" PRIu64
                    ", \"age_sum_ms\": %" PRIu64 ", \"bytes\": %" PRIu64 "}",
                    i ? ", " : "", bucket->at_least_s, bucket->count, bucket->age_sum_ms,
                    bucket->bytes);
    }
    sink_puts(sink, "],\n    \"oldest\": [");
    for (size_t i = 0; i < holding->oldest_count; i++) {
        const struct old_handle *handle = &holding->oldest[i];
        sink_printf(sink,
                    "%s{\"handle\": \"0x%" PRIx64 "\", \"bytes\": %" PRIu64 ", \"age_ns\": %" PRIu64
                    "}",
                    i ? ", " : "", handle->handle, handle->bytes, handle->age_ns);
    }
    sink_puts(sink, "]");
}

static void put_holding(struct sink *sink, const struct handle_holding *holding,
                        struct symbolizer *symbolizer)
{
    sink_printf(sink, "\n   {\"count\": %" PRIu64, holding->count);
    put_number(sink, "bytes", holding->bytes);
    put_number(sink, "age_sum_ms", holding->age_sum_ms);
    put_number(sink, "oldest_least_ns", holding->oldest_least_ns);
    put_number(sink, "oldest_most_ns", holding->oldest_most_ns);
    sink_puts(sink, ", ");
    labels_write_json(sink, &holding->labels);
    put_ages(sink, holding);
    sink_printf(sink, ",\n    \"other\": %s", holding->is_other ? "true" : "false");
    put_stack(sink, &holding->stack, symbolizer);
    sink_puts(sink, "}");
}

static void put_wrong_remove(struct sink *sink, const struct wrong_remove *wrong,
                             struct symbolizer *symbolizer)
{
    sink_printf(sink, "\n   {\"times\": %" PRIu64 ", \"handle\": \"0x%" PRIx64 "\"", wrong->times,
                wrong->handle);
    put_number(sink, "ago_ns", wrong->ago_ns);
    put_number(sink, "tid", (uint64_t)wrong->tid);
    put_stack(sink, &wrong->stack, symbolizer);
    sink_puts(sink, "}");
}

static void put_inventory(struct sink *sink, const struct inventory_dump *inventory,
                          struct symbolizer *symbolizer)
{
    sink_puts(sink, "\n  {\"name\": ");
    sink_json_string(sink, inventory->name);
    put_number(sink, "live", inventory->live);
    put_number(sink, "bytes", inventory->bytes);
    put_number(sink, "age_sum_ms", inventory->age_sum_ms);
    put_number(sink, "double_adds", inventory->double_adds);
    put_number(sink, "wrong_removes", inventory->wrong_removes);
    put_number(sink, "lost", inventory->lost);
    sink_puts(sink, ",\n   \"holders\": [");
    for (size_t i = 0; i < inventory->count && !sink->error; i++) {
        sink_puts(sink, i ? "," : "");
        put_holding(sink, &inventory->holdings[i], symbolizer);
    }
    sink_puts(sink, "],\n   \"wrong_remove_stacks\": [");
    for (size_t i = 0; i < inventory->wrong_remove_count && !sink->error; i++) {
        sink_puts(sink, i ? "," : "");
        put_wrong_remove(sink, &inventory->wrong_remove_list[i], symbolizer);
    }
    sink_puts(sink, "]}");
}

void handles_write_json(struct sink *sink, const struct handle_dump *dump,
                        struct symbolizer *symbolizer)
{
    sink_printf(sink, "{\"time_ns\": %" PRIu64, dump->time_ns);
    put_number(sink, "took_ns", dump->took_ns);
    put_number(sink, "live", dump->live);
    put_number(sink, "stacks_refused", dump->stacks_refused);
    put_number(sink, "shards", dump->shards);
    put_number(sink, "shards_locked", dump->shards_locked);
    put_number(sink, "shards_changing", dump->shards_changing);
    put_number(sink, "shards_unreadable", dump->shards_unreadable);
    sink_puts(sink, ",\n \"inventories\": [");
    for (size_t i = 0; i < dump->count && !sink->error; i++) {
        sink_puts(sink, i ? "," : "");
        put_inventory(sink, &dump->inventories[i], symbolizer);
    }
    sink_puts(sink, "]}\n");
}
