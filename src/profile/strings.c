/* strings.c: every string of a profile, once; see strings.h. */
#include "profile/strings.h"

#include "base/arena.h"
#include "base/sink.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

struct key {
    const char *text;
    size_t length;
};

static bool equal(const void *within, uint32_t entry, const void *wanted)
{
    const struct string *string = &((const struct strings *)within)->all[entry];
    const struct key *key = wanted;
    return string->length == key->length && memcmp(string->text, key->text, key->length) == 0;
}

/* Big-endian and padded with 0, so that numbers order as the strings do. */
static uint64_t prefix_of(const char *text, size_t length)
{
    uint64_t prefix = 0;
    for (size_t i = 0; i < sizeof prefix; i++)
        prefix = prefix << 8 | (i < length ? (unsigned char)text[i] : 0);
    return prefix;
}

static uint32_t add(struct strings *strings, const char *text, size_t length, uint64_t hash)
{
    if (length > UINT32_MAX)
        return HASH_NONE;
    struct string *all = array_reserve(strings->arena, strings->all, &strings->capacity,
                                       strings->count, sizeof *all);
    if (!all)
        return HASH_NONE;
    strings->all = all;
    char *copy = arena_strndup(strings->arena, text, length);
    uint32_t number = (uint32_t)strings->count;
    if (!copy || !hash_index_insert(&strings->index, strings->arena, hash, number))
        return HASH_NONE;
    all[number] = (struct string){
        .text = copy,
        .prefix = prefix_of(text, length),
        .length = (uint32_t)length,
    };
    strings->count++;
    return number;
}

bool strings_init(struct strings *strings, struct arena *arena)
{
    *strings = (struct strings){ .arena = arena };
    return strings_add(strings, "") == 0;
}

/* TEXT with what is not UTF-8 replaced, *LENGTH bytes; TEXT itself where all of it is. */
static const char *repaired(struct arena *arena, const char *text, size_t *length)
{
    size_t wrong = 0;
    size_t step;
    const unsigned char *from = (const unsigned char *)text;
    for (; *from; from += step ? step : 1) {
        step = utf8_length(from);
        wrong += step == 0;
    }
    if (wrong == 0)
        return text;
    char *copy = arena_alloc(arena, *length + wrong * (strlen(REPLACEMENT) - 1) + 1);
    if (!copy)
        return NULL;
    char *to = copy;
    for (from = (const unsigned char *)text; *from; from += step ? step : 1) {
        step = utf8_length(from);
        memcpy(to, step ? (const char *)from : REPLACEMENT, step ? step : strlen(REPLACEMENT));
        to += step ? step : strlen(REPLACEMENT);
    }
    *length = (size_t)(to - copy);
    return copy;
}

static uint32_t find_or_add(struct strings *strings, const char *text, size_t length, bool checked)
{
    struct key key = { text, length };
    uint64_t hash = hash_bytes(0, text, length);
    uint32_t found = hash_index_find(&strings->index, hash, equal, strings, &key);
    if (found != HASH_NONE)
        return found;
    const char *clean = checked ? text : repaired(strings->arena, text, &length);
    if (!clean)
        return HASH_NONE;
    return clean == text ? add(strings, text, length, hash)
                         : find_or_add(strings, clean, length, true);
}

uint32_t strings_add(struct strings *strings, const char *text)
{
    if (!text)
        return 0;
    struct recent_string *recent = &strings->recent[((uintptr_t)text >> 2) % STRINGS_RECENT];
    if (recent->from == text && strcmp(strings->all[recent->number].text, text) == 0)
        return recent->number;
    uint32_t number = find_or_add(strings, text, strlen(text), false);
    if (number != HASH_NONE)
        *recent = (struct recent_string){ .from = text, .number = number };
    return number;
}

int strings_compare(const struct strings *strings, uint32_t left, uint32_t right)
{
    const struct string *a = &strings->all[left];
    const struct string *b = &strings->all[right];
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return left == right ? 0 : strcmp(a->text, b->text);
}
