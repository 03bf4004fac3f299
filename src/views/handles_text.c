/* handles_text.c: the words of a dump of live handles; see handles_text.h. */
#include "views/handles_text.h"

#include "base/sink.h"
#include "sources/inventories.h"
#include "views/fds_text.h"
#include "views/frames.h"
#include "views/label_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void handles_write_count(struct sink *sink, uint64_t count)
{
    fds_write_count(sink, count);
    sink_puts(sink, count == 1 ? " handle" : " handles");
}

/* The holders whose stack had no room in the pool. */
static uint64_t count_others(const struct handle_dump *dump)
{
    uint64_t others = 0;
    for (size_t i = 0; i < dump->count; i++)
        for (size_t j = 0; j < dump->inventories[i].count; j++)
            if (dump->inventories[i].holdings[j].is_other)
                others += dump->inventories[i].holdings[j].count;
    return others;
}

static void write_shards(struct sink *sink, size_t shards, size_t of, const char *what)
{
    if (shards > 0)
        sink_printf(sink, "%zu of %zu shards %s\n", shards, of, what);
}

void handles_write_totals(struct sink *sink, const struct handle_dump *dump)
{
    uint64_t others = count_others(dump);
    handles_write_count(sink, dump->live);
    sink_printf(sink, " live in %zu inventor%s\n", dump->count, dump->count == 1 ? "y" : "ies");
    if (others > 0) {
        handles_write_count(sink, others);
        sink_puts(sink, " by stacks that had no room: they are counted as (other)\n");
    }
    write_shards(sink, dump->shards_locked, dump->shards,
                 "stayed locked by a thread of the service and were read all the same, each whole");
    write_shards(sink, dump->shards_changing, dump->shards,
                 "were changing while they were read: their counts need not be of one moment");
    write_shards(sink, dump->shards_unreadable, dump->shards,
                 "could not be read: their handles are missing");
}

void handles_write_inventory(struct sink *sink, const struct inventory_dump *inventory)
{
    sink_plain(sink, inventory->name);
    sink_puts(sink, ": ");
    handles_write_count(sink, inventory->live);
    if (inventory->bytes > 0) {
        sink_puts(sink, ", ");
        fds_write_bytes(sink, inventory->bytes);
    }
    if (inventory->live > 0) {
        sink_puts(sink, ", mean age ");
        sink_duration(sink, inventory->age_sum_ms / inventory->live * 1000000);
    }
    sink_puts(sink, "\n");
}

/* "3 min", or "2 min to 3 min" where it is not known better. */
static void write_oldest(struct sink *sink, const struct handle_holding *holding)
{
    struct sink_buffer least;
    struct sink_buffer most;
    sink_buffer_init(&least);
    sink_buffer_init(&most);
    sink_duration(&least.sink, holding->oldest_least_ns);
    sink_duration(&most.sink, holding->oldest_most_ns);
    if (least.bytes && most.bytes) {
        sink_puts(sink, least.bytes);
        if (strcmp(least.bytes, most.bytes) != 0)
            sink_printf(sink, " to %s", most.bytes);
    }
    sink_buffer_free(&most);
    sink_buffer_free(&least);
}

void handles_write_sums(struct sink *sink, const struct handle_holding *holding)
{
    if (holding->bytes > 0) {
        sink_puts(sink, ", ");
        fds_write_bytes(sink, holding->bytes);
    }
    sink_puts(sink, holding->count == 1 ? ", age " : ", oldest ");
    write_oldest(sink, holding);
    if (holding->count > 1) {
        sink_puts(sink, ", mean age ");
        sink_duration(sink, holding->age_sum_ms / holding->count * 1000000);
    }
}

void handles_write_labels(struct sink *sink, const struct handle_holding *holding,
                          const char *indent)
{
    labels_write(sink, &holding->labels, indent);
}

const char *handles_stack_word(const struct handle_holding *holding)
{
    if (holding->stack.count > 0)
        return NULL;
    return holding->is_other ? "(other)" : "(stack not known)";
}

static void write_pooled(struct sink *sink, const struct pooled_stack *stack,
                         struct symbolizer *symbolizer, const char *indent, int with_addresses)
{
    frames_write(sink, stack->frames, stack->count, symbolizer, indent, with_addresses);
    if (stack->count == 0)
        sink_printf(sink, "%sits stack is not known: %s\n", indent,
                    stack->partial ? stack->partial : "it has no frames");
    else if (stack->partial)
        sink_printf(sink, "%sthe rest is missing: %s\n", indent, stack->partial);
}

void handles_write_stack(struct sink *sink, const struct handle_holding *holding,
                         struct symbolizer *symbolizer, const char *indent, int with_addresses)
{
    write_pooled(sink, &holding->stack, symbolizer, indent, with_addresses);
}

static void write_wrong_remove(struct sink *sink, const struct wrong_remove *wrong,
                               struct symbolizer *symbolizer, int with_addresses)
{
    sink_puts(sink, "    ");
    fds_write_count(sink, wrong->times);
    sink_printf(sink, " time%s, the first with 0x%" PRIx64 " ", wrong->times == 1 ? "" : "s",
                wrong->handle);
    if (wrong->tid > 0)
        sink_printf(sink, "in thread %d ", (int)wrong->tid);
    sink_duration(sink, wrong->ago_ns);
    sink_puts(sink, " ago\n");
    write_pooled(sink, &wrong->stack, symbolizer, "    ", with_addresses);
}

static void write_fault(struct sink *sink, uint64_t count, const char *one, const char *many)
{
    if (count == 0)
        return;
    sink_puts(sink, "\n");
    fds_write_count(sink, count);
    sink_printf(sink, " %s\n", count == 1 ? one : many);
}

void handles_write_faults(struct sink *sink, const struct inventory_dump *inventory,
                          struct symbolizer *symbolizer, int with_addresses)
{
    uint64_t shown = 0;
    write_fault(sink, inventory->wrong_removes,
                "remove of a handle that was not live:", "removes of handles that were not live:");
    for (size_t i = 0; i < inventory->wrong_remove_count; i++) {
        write_wrong_remove(sink, &inventory->wrong_remove_list[i], symbolizer, with_addresses);
        shown += inventory->wrong_remove_list[i].times;
    }
    if (shown < inventory->wrong_removes) {
        sink_puts(sink, "    ");
        fds_write_count(sink, inventory->wrong_removes - shown);
        sink_puts(sink, shown > 0 ? " by other stacks\n" : " by stacks that are not known\n");
    }
    write_fault(sink, inventory->double_adds, "add of a handle that was live already",
                "adds of handles that were live already");
    write_fault(sink, inventory->lost, "add was lost: there was no memory for it",
                "adds were lost: there was no memory for them");
}

static int by_live(const void *left, const void *right)
{
    const struct inventory_dump *a = *(const struct inventory_dump *const *)left;
    const struct inventory_dump *b = *(const struct inventory_dump *const *)right;
    if (a->live != b->live)
        return a->live > b->live ? -1 : 1;
    return strcmp(a->name, b->name);
}

const struct inventory_dump **handles_fullest_first(const struct handle_dump *dump)
{
    const struct inventory_dump **order = malloc((dump->count + 1) * sizeof *order);
    if (!order)
        return NULL;
    for (size_t i = 0; i < dump->count; i++)
        order[i] = &dump->inventories[i];
    qsort(order, dump->count, sizeof *order, by_live);
    return order;
}
