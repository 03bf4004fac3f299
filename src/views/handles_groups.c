/* handles_groups.c: /debug/handles and /debug/NAME, the view for a person with curl.
 *
 * The service has grouped handles by stack and labels already. The fullest inventory comes first,
 * in it the largest group, and behind these what went wrong with it. */
#include "views/handles_view.h"

#include "base/sink.h"
#include "sources/inventories.h"
#include "views/fds_text.h"
#include "views/frames.h"
#include "views/handles_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* "up to 10 s" for the bucket that begins at 1 s. */
static void write_edge(struct sink *sink, uint64_t at_least_s)
{
    sink_puts(sink, " up to ");
    sink_duration(sink, (at_least_s == 0 ? 1 : at_least_s * 10) * UINT64_C(1000000000));
}

/* How many are how old, where they are not all of about an age. */
static void write_ages(struct sink *sink, const struct handle_holding *holding)
{
    if (holding->age_count < 2)
        return;
    sink_puts(sink, "    by age:");
    for (size_t i = 0; i < holding->age_count; i++) {
        sink_puts(sink, i ? ", " : " ");
        fds_write_count(sink, holding->ages[i].count);
        write_edge(sink, holding->ages[i].at_least_s);
    }
    sink_puts(sink, "\n");
}

static void write_group(struct sink *sink, const struct handle_holding *holding,
                        struct symbolizer *symbolizer)
{
    const char *word = handles_stack_word(holding);
    sink_puts(sink, "\n");
    handles_write_count(sink, holding->count);
    sink_puts(sink, " by ");
    if (word)
        sink_puts(sink, word);
    else
        frames_write_place(sink, holding->stack.frames, holding->stack.count, symbolizer);
    handles_write_sums(sink, holding);
    sink_puts(sink, "\n");
    write_ages(sink, holding);
    handles_write_labels(sink, holding, "    ");
    handles_write_stack(sink, holding, symbolizer, "    ", 0);
}

void handles_write_groups(struct sink *sink, const struct handle_dump *dump,
                          struct symbolizer *symbolizer)
{
    const struct inventory_dump **order = handles_fullest_first(dump);
    handles_write_totals(sink, dump);
    if (!order && !sink->error)
        sink->error = -ENOMEM;
    for (size_t i = 0; order && i < dump->count && !sink->error; i++) {
        sink_puts(sink, "\n");
        handles_write_inventory(sink, order[i]);
        for (size_t j = 0; j < order[i]->count; j++)
            write_group(sink, &order[i]->holdings[j], symbolizer);
        handles_write_faults(sink, order[i], symbolizer, 0);
    }
    free(order);
}
