/* inventories_copy.c: an inventory as it is handed out; see inventories_copy.h.
 *
 * What is handed out may be held for as long as a difference takes: it has its own copy of every
 * frame and every label, each stack once. */
#include "sources/inventories_copy.h"

#include "base/inner_ids.h"

#include "stacks/pool.h"

#include <stdlib.h>
#include <string.h>

/* What was read is a copy of ours: the plain values of its atomics. */
#define PLAIN(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* False without memory. */
static bool copy_stack(struct inventory_copier *copier, uint32_t number,
                       struct pooled_stack *result)
{
    *result = pool_reader_stack(copier->pool, number);
    if (!result->frames)
        return true;
    struct pooled_stack *known = &copier->stacks[number]; /* it has a node: it is in range */
    if (!known->frames) {
        uint64_t *frames = arena_array(copier->arena, result->count, sizeof *frames);
        if (!frames)
            return false;
        memcpy(frames, result->frames, result->count * sizeof *frames);
        *known = *result;
        known->frames = frames;
    }
    *result = *known;
    return true;
}

static bool copy_labels(struct inventory_copier *copier, uint32_t number, struct label_list *result)
{
    *result = (struct label_list){ .list = NULL };
    if (number == 0 || !copier->labels)
        return true;
    *result = labels_of_set(copier->labels, number);
    if (result->count == 0)
        return true;
    struct label *list = arena_array(copier->arena, result->count, sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < result->count; i++) {
        list[i].key = arena_strdup(copier->arena, result->list[i].key);
        list[i].value = arena_strdup(copier->arena, result->list[i].value);
        if (!list[i].key || !list[i].value)
            return false;
    }
    result->list = list;
    return true;
}

static size_t count_ages(const struct merged_holder *holder)
{
    size_t count = 0;
    for (size_t i = 0; i < AGE_BUCKETS_MAX; i++)
        count += holder->ages[i].count > 0;
    return count;
}

static bool copy_ages(struct inventory_copier *copier, const struct merged_holder *from,
                      struct handle_holding *to)
{
    struct age_bucket *ages = arena_array(copier->arena, count_ages(from), sizeof *ages);
    struct old_handle *oldest = arena_array(copier->arena, from->oldest_count, sizeof *oldest);
    if (!ages || !oldest)
        return false;
    for (size_t i = 0; i < AGE_BUCKETS_MAX; i++)
        if (from->ages[i].count > 0)
            ages[to->age_count++] = from->ages[i];
    memcpy(oldest, from->oldest, from->oldest_count * sizeof *oldest);
    to->ages = ages;
    to->oldest = oldest;
    to->oldest_count = from->oldest_count;
    return true;
}

static bool copy_holder(struct inventory_copier *copier, const struct merged_holder *from,
                        struct handle_holding *to)
{
    *to = (struct handle_holding){
        .is_other = from->stack == STACK_OTHER,
        .count = from->count,
        .age_sum_ms = from->age_sum_ms,
        .bytes = from->bytes,
        .oldest_least_ns = from->oldest_least_ns,
        .oldest_most_ns = from->oldest_most_ns,
        .since_count = from->since_count,
        .since_bytes = from->since_bytes,
    };
    return copy_stack(copier, from->stack, &to->stack) &&
           copy_labels(copier, from->labels, &to->labels) && copy_ages(copier, from, to);
}

/* Most handles first; of as many the stack that came first. */
static int by_count(const void *left, const void *right)
{
    const struct merged_holder *a = left;
    const struct merged_holder *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    if (a->stack != b->stack)
        return a->stack < b->stack ? -1 : 1;
    return (a->labels > b->labels) - (a->labels < b->labels);
}

static bool copy_wrong_removes(struct inventory_copier *copier, struct taken_inventory *taken,
                               struct inventory_dump *to)
{
    struct inventory *from = &taken->inventory;
    uint32_t count = PLAIN(from->wrong_remove_count);
    if (count > WRONG_REMOVES_MAX)
        count = WRONG_REMOVES_MAX;
    to->wrong_remove_list = arena_array(copier->arena, count, sizeof *to->wrong_remove_list);
    if (!to->wrong_remove_list)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct handle_wrong_remove *one = &from->wrong_remove[i];
        if (!PLAIN(one->ready))
            continue;
        struct wrong_remove *copy = &to->wrong_remove_list[to->wrong_remove_count++];
        uint64_t time_ns = PLAIN(one->time_ns);
        *copy = (struct wrong_remove){
            .times = PLAIN(one->times),
            .handle = PLAIN(one->handle),
            .ago_ns = taken->merged.now_ns > time_ns ? taken->merged.now_ns - time_ns : 0,
            .tid = outer_tid(copier->target, PLAIN(one->tid)),
        };
        if (!copy_stack(copier, PLAIN(one->stack), &copy->stack))
            return false;
    }
    return true;
}

bool inventory_copy(struct inventory_copier *copier, struct taken_inventory *taken,
                    struct inventory_dump *to)
{
    struct merged *merged = &taken->merged;
    *to = (struct inventory_dump){
        .name = arena_strdup(copier->arena, taken->inventory.name),
        .holdings = arena_array(copier->arena, merged->count, sizeof *to->holdings),
        .double_adds = PLAIN(taken->inventory.double_adds),
        .lost = PLAIN(taken->inventory.lost),
        .wrong_removes = PLAIN(taken->inventory.wrong_removes),
    };
    if (!to->name || !to->holdings)
        return false;
    if (merged->count > 1)
        qsort(merged->holders, merged->count, sizeof *merged->holders, by_count);
    for (size_t i = 0; i < merged->count; i++) {
        if (!copy_holder(copier, &merged->holders[i], &to->holdings[i]))
            return false;
        to->count++;
        to->live += to->holdings[i].count;
        to->bytes += to->holdings[i].bytes;
        to->age_sum_ms += to->holdings[i].age_sum_ms;
    }
    return copy_wrong_removes(copier, taken, to);
}
