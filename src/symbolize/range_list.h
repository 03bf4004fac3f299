/* range_list.h: which of many address ranges hold an address. */
#ifndef SNAG_SYMBOLIZE_RANGE_LIST_H
#define SNAG_SYMBOLIZE_RANGE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
    uint64_t low, high; /* half-open */
    uint64_t reach;     /* the furthest high of this and all before */
    uint32_t owner;     /* whose range it is */
};

struct range_list {
    struct range *ranges;
    size_t count;
    size_t capacity;
};

/* False without memory. An empty range is left out. */
bool range_list_add(struct range_list *list, uint64_t low, uint64_t high, uint32_t owner);

/* Once, after the last add and before the first find. */
void range_list_settle(struct range_list *list);

/* The smallest range that holds ADDRESS, or NULL. */
const struct range *range_list_find(const struct range_list *list, uint64_t address);

void range_list_free(struct range_list *list);

#endif
