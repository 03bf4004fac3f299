/* rule.c: the table of rules by address; see rule.h.
 *
 * A hash table with open addressing, grown at two thirds. An address hashes by
 * Fibonacci multiplication (Knuth, The Art of Computer Programming 3, 6.4). */
#include "unwind/rule.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256u

static size_t slot_of(const struct rule_table *table, uint64_t address)
{
    size_t mask = table->capacity - 1;
    size_t at = (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;
    while (table->slots[at].address != 0 && table->slots[at].address != address)
        at = (at + 1) & mask;
    return at;
}

struct rule *rule_find(const struct rule_table *table, uint64_t address)
{
    if (table->capacity == 0)
        return NULL;
    struct rule *rule = &table->slots[slot_of(table, address)];
    return rule->address == address ? rule : NULL;
}

static bool grow(struct rule_table *table)
{
    struct rule_table larger = {
        .count = table->count,
        .capacity = table->capacity ? table->capacity * 2 : FIRST_CAPACITY,
    };
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].address != 0)
            larger.slots[slot_of(&larger, table->slots[i].address)] = table->slots[i];
    free(table->slots);
    *table = larger;
    return true;
}

struct rule *rule_add(struct rule_table *table, uint64_t address)
{
    if (address == 0 || (table->count * 3 >= table->capacity * 2 && !grow(table)))
        return NULL;
    struct rule *rule = &table->slots[slot_of(table, address)];
    *rule = (struct rule){ .address = address };
    table->count++;
    return rule;
}

void rule_table_free(struct rule_table *table)
{
    free(table->slots);
    *table = (struct rule_table){ 0 };
}
