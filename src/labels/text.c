/* text.c: the labels in a slot; see text.h.
 *
 * Key, 0, value, 0, and so on, by ascending key. Of what has no room a bit stays, by the
 * key's hash: so a label that is set again and again without room is one that is left out, and none
 * once it is cleared. Two keys with the same bit are counted as one. */
#include "labels/text.h"

#include <string.h>

static const char dots[] = "...";

/* The size of the copy. */
static size_t copy(char *to, const char *text, size_t max)
{
    size_t length = strnlen(text, max + 1);
    if (length <= max) {
        memcpy(to, text, length);
        to[length] = 0;
        return length + 1;
    }
    length = max - strlen(dots);
    for (int i = 0; i < 3 && ((unsigned char)text[length] & 0xc0) == 0x80; i++)
        length--; /* not amid a character of UTF-8 */
    memcpy(to, text, length);
    memcpy(to + length, dots, sizeof dots);
    return length + sizeof dots;
}

void label_words_make(struct label_words *words, const char *key, const char *value)
{
    words->key_size = copy(words->key, key, LABEL_KEY_MAX);
    words->value_size = copy(words->value, value, LABEL_VALUE_MAX);
}

/* Where in the text a key is, or would be. */
struct place {
    size_t at;
    size_t size; /* of the label there; 0: there is none of this key */
};

static struct place find(const struct label_slot *slot, const char *key)
{
    size_t at = 0;
    while (at < slot->length) {
        const char *there = slot->text + at;
        size_t key_size = strlen(there) + 1;
        size_t size = key_size + strlen(there + key_size) + 1;
        int order = strcmp(key, there);
        if (order == 0)
            return (struct place){ at, size };
        if (order < 0)
            break;
        at += size;
    }
    return (struct place){ at, 0 };
}

static uint64_t bit_of(const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return UINT64_C(1) << ((hash ^ hash >> 32) & 63);
}

static void count_left_out(struct label_slot *slot)
{
    int here = __builtin_popcountll(slot->left_out_keys);
    slot->left_out = (uint16_t)(slot->inherited_out + here);
}

bool label_text_has(const struct label_slot *slot, const struct label_words *words)
{
    struct place place = find(slot, words->key);
    return place.size > 0 && strcmp(slot->text + place.at + words->key_size, words->value) == 0;
}

bool label_text_knows(const struct label_slot *slot, const struct label_words *words)
{
    return find(slot, words->key).size > 0 || (slot->left_out_keys & bit_of(words->key)) != 0;
}

static void take_out(struct label_slot *slot, struct place place)
{
    if (place.size == 0)
        return;
    size_t end = place.at + place.size;
    memmove(slot->text + place.at, slot->text + end, slot->length - end);
    slot->length = (uint16_t)(slot->length - place.size);
    slot->count--;
}

void label_text_put(struct label_slot *slot, const struct label_words *words)
{
    struct place place = find(slot, words->key);
    size_t size = words->key_size + words->value_size;
    take_out(slot, place);
    slot->left_out_keys &= ~bit_of(words->key);
    if (slot->count < LABELS_OF_A_THREAD && size <= LABEL_TEXT_MAX - slot->length) {
        char *at = slot->text + place.at;
        memmove(at + size, at, slot->length - place.at);
        memcpy(at, words->key, words->key_size);
        memcpy(at + words->key_size, words->value, words->value_size);
        slot->length = (uint16_t)(slot->length + size);
        slot->count++;
    } else {
        slot->left_out_keys |= bit_of(words->key);
    }
    count_left_out(slot);
}

void label_text_remove(struct label_slot *slot, const struct label_words *words)
{
    take_out(slot, find(slot, words->key));
    slot->left_out_keys &= ~bit_of(words->key);
    count_left_out(slot);
}

void label_text_clear(struct label_slot *slot)
{
    slot->length = 0;
    slot->count = 0;
    slot->left_out = 0;
    slot->inherited_out = 0;
    slot->left_out_keys = 0;
}
