/* range_list.c: address ranges, found by bisection; see range_list.h.
 *
 * Ranges may overlap (code that the linker threw away lies at address 0 in
 * many units), so a search goes back from the last that begins early enough, as long as
 * any before can still reach the address. */
#include "symbolize/range_list.h"

#include <stdlib.h>

bool range_list_add(struct range_list *list, uint64_t low, uint64_t high, uint32_t owner)
{
    if (low >= high)
        return true;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 256;
        struct range *grown = realloc(list->ranges, capacity * sizeof *grown);
        if (!grown)
            return false;
        list->ranges = grown;
        list->capacity = capacity;
    }
    list->ranges[list->count++] = (struct range){ .low = low, .high = high, .owner = owner };
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct range *a = left;
    const struct range *b = right;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    return (a->owner > b->owner) - (a->owner < b->owner);
}

void range_list_settle(struct range_list *list)
{
    if (list->count == 0)
        return;
    qsort(list->ranges, list->count, sizeof *list->ranges, compare);
    uint64_t reach = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->ranges[i].high > reach)
            reach = list->ranges[i].high;
        list->ranges[i].reach = reach;
    }
}

const struct range *range_list_find(const struct range_list *list, uint64_t address)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->ranges[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const struct range *smallest = NULL;
    for (size_t i = low; i > 0 && list->ranges[i - 1].reach > address; i--) {
        const struct range *range = &list->ranges[i - 1];
        if (range->high > address &&
            (!smallest || range->high - range->low < smallest->high - smallest->low))
            smallest = range;
    }
    return smallest;
}

void range_list_free(struct range_list *list)
{
    free(list->ranges);
    *list = (struct range_list){ 0 };
}
