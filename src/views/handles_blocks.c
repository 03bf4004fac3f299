/* handles_blocks.c: debug=2, a block per holder with its oldest handles.
 *
 * A line per handle: what a debugger or a log line is asked about. */
#include "views/handles_view.h"

#include "base/sink.h"
#include "sources/inventories.h"
#include "views/fds_text.h"
#include "views/handles_text.h"

#include <inttypes.h>

static void write_handles(struct sink *sink, const struct handle_holding *holding)
{
    for (size_t i = 0; i < holding->oldest_count; i++) {
        const struct old_handle *handle = &holding->oldest[i];
        sink_printf(sink, "     0x%" PRIx64 " for ", handle->handle);
        sink_duration(sink, handle->age_ns);
        if (handle->bytes > 0) {
            sink_puts(sink, ", ");
            fds_write_bytes(sink, handle->bytes);
        }
        sink_puts(sink, "\n");
    }
    if (holding->count <= holding->oldest_count)
        return;
    sink_puts(sink, "     ");
    sink_puts(sink, holding->oldest_count > 0 ? "and " : "");
    fds_write_count(sink, holding->count - holding->oldest_count);
    sink_puts(sink, holding->oldest_count > 0 ? " more\n" : " that are not listed\n");
}

static void write_block(struct sink *sink, const struct inventory_dump *inventory,
                        const struct handle_holding *holding, struct symbolizer *symbolizer)
{
    const char *word = handles_stack_word(holding);
    sink_puts(sink, "\n");
    sink_plain(sink, inventory->name);
    sink_puts(sink, ": ");
    handles_write_count(sink, holding->count);
    if (word)
        sink_printf(sink, " by %s", word);
    handles_write_sums(sink, holding);
    sink_puts(sink, "\n");
    handles_write_labels(sink, holding, "     ");
    write_handles(sink, holding);
    handles_write_stack(sink, holding, symbolizer, "     ", 1);
}

void handles_write_blocks(struct sink *sink, const struct handle_dump *dump,
                          struct symbolizer *symbolizer)
{
    handles_write_totals(sink, dump);
    for (size_t i = 0; i < dump->count && !sink->error; i++) {
        const struct inventory_dump *inventory = &dump->inventories[i];
        for (size_t j = 0; j < inventory->count; j++)
            write_block(sink, inventory, &inventory->holdings[j], symbolizer);
        if (inventory->wrong_removes + inventory->double_adds + inventory->lost == 0)
            continue;
        sink_puts(sink, "\n");
        sink_plain(sink, inventory->name);
        sink_puts(sink, ": what went wrong\n");
        handles_write_faults(sink, inventory, symbolizer, 1);
    }
}
