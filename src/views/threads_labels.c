/* threads_labels.c: which values labels have within a group; see threads_labels.h.
 *
 * Found by sorting: all labels of all threads by key and value, so that equal ones are a run, and
 * the runs of one key a longer run. */
#include "views/threads_labels.h"

#include "base/sink.h"
#include "sources/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_KEYS 4
#define SHOWN_VALUES 3

/* Threads that have a label; of a key, SHOWN_VALUES of these. */
struct tally {
    const struct label *label;
    size_t count;
};

struct key_tally {
    const char *key;
    size_t count; /* threads that have it */
    struct tally values[SHOWN_VALUES];
    size_t value_count;
};

static int by_key_and_value(const void *left, const void *right)
{
    const struct label *a = *(const struct label *const *)left;
    const struct label *b = *(const struct label *const *)right;
    int order = strcmp(a->key, b->key);
    return order ? order : strcmp(a->value, b->value);
}

/* Where it stands among those with more threads than it; what falls off the end is left out. */
static void add_value(struct key_tally *key, struct tally tally)
{
    size_t at = key->value_count;
    while (at > 0 && key->values[at - 1].count < tally.count)
        at--;
    if (at == SHOWN_VALUES)
        return;
    size_t end = key->value_count < SHOWN_VALUES ? key->value_count++ : SHOWN_VALUES - 1;
    memmove(&key->values[at + 1], &key->values[at], (end - at) * sizeof tally);
    key->values[at] = tally;
}

static void add_key(struct key_tally *keys, size_t *count, const struct key_tally *key)
{
    size_t at = *count;
    while (at > 0 && keys[at - 1].count < key->count)
        at--;
    if (at == SHOWN_KEYS)
        return;
    size_t end = *count < SHOWN_KEYS ? (*count)++ : SHOWN_KEYS - 1;
    memmove(&keys[at + 1], &keys[at], (end - at) * sizeof *key);
    keys[at] = *key;
}

/* The runs of LABELS, in order; how many keys there are in all. */
static size_t tally_keys(const struct label **labels, size_t count, struct key_tally *keys,
                         size_t *shown)
{
    size_t key_count = 0;
    for (size_t i = 0; i < count;) {
        struct key_tally key = { .key = labels[i]->key };
        while (i < count && strcmp(labels[i]->key, key.key) == 0) {
            struct tally tally = { .label = labels[i] };
            while (i < count && by_key_and_value(&labels[i], &tally.label) == 0) {
                tally.count++;
                i++;
            }
            key.count += tally.count;
            add_value(&key, tally);
        }
        add_key(keys, shown, &key);
        key_count++;
    }
    return key_count;
}

static void write_key(struct sink *sink, const struct key_tally *key, size_t threads,
                      const char *before)
{
    size_t others = threads;
    sink_printf(sink, "%slabel ", before);
    sink_plain(sink, key->key);
    for (size_t i = 0; i < key->value_count; i++) {
        sink_puts(sink, i ? ", " : ": ");
        sink_plain(sink, key->values[i].label->value);
        if (key->values[i].count < threads)
            sink_printf(sink, " (%zu)", key->values[i].count);
        others -= key->values[i].count;
    }
    if (others > 0)
        sink_printf(sink, ", others (%zu)", others);
}

void threads_write_label_values(struct sink *sink, const struct thread_sample *const *threads,
                                size_t count, const char *before)
{
    size_t label_count = 0;
    for (size_t i = 0; i < count; i++)
        label_count += threads[i]->labels.count;
    if (label_count == 0)
        return;
    const struct label **labels = malloc(label_count * sizeof *labels);
    if (!labels) {
        sink->error = sink->error ? sink->error : -ENOMEM;
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < threads[i]->labels.count; j++)
            labels[n++] = &threads[i]->labels.list[j];
    qsort(labels, label_count, sizeof *labels, by_key_and_value);
    struct key_tally keys[SHOWN_KEYS];
    size_t shown = 0;
    size_t key_count = tally_keys(labels, label_count, keys, &shown);
    for (size_t i = 0; i < shown; i++)
        write_key(sink, &keys[i], count, before);
    if (key_count > shown)
        sink_printf(sink, "%sand %zu more labels", before, key_count - shown);
    free(labels);
}
