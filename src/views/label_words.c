/* label_words.c: labels in words, tags and JSON; see label_words.h.
 *
 * Tags of a sample are one name space, in which a view's own come first: whoever looks for the
 * tag "state" must not find what a service has called so. */
#include "views/label_words.h"

#include "base/sink.h"
#include "profile/profile.h"
#include "sources/labels.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Tags of all profiles with labels, so that a label has the same name in each. "bytes" would be
 * taken by pprof for the size of one object. */
static bool is_ours(const char *key)
{
    static const char *const ours[] = {
        "thread",    "state", "syscall", "wait",  "capture", "tid",
        "inventory", "age_s", "handle",  "bytes", "labels",
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(key, ours[i]) == 0)
            return true;
    return false;
}

/* What there is to say of labels that are not in the list; NULL nothing. */
static const char *missing_words(const struct label_list *labels, char *text, size_t size)
{
    if (labels->is_changing)
        return "changed all the time";
    if (labels->is_other)
        return "(other)";
    if (labels->left_out == 0)
        return NULL;
    snprintf(text, size, "%zu had no room", labels->left_out);
    return text;
}

size_t label_tags(const struct label_list *labels, struct profile_label *tags,
                  struct label_tag_texts *texts)
{
    size_t count = 0;
    for (; count < labels->count && count + 1 < LABEL_TAGS_MAX; count++) {
        const struct label *label = &labels->list[count];
        tags[count] = (struct profile_label){ .key = label->key, .text = label->value };
        if (!is_ours(label->key))
            continue;
        snprintf(texts->keys[count], sizeof *texts->keys, "label.%s", label->key);
        tags[count].key = texts->keys[count];
    }
    char *text = texts->keys[LABEL_TAGS_MAX - 1];
    const char *missing = missing_words(labels, text, sizeof *texts->keys);
    if (missing)
        tags[count++] = (struct profile_label){ .key = "labels", .text = missing };
    return count;
}

void labels_write(struct sink *sink, const struct label_list *labels, const char *before)
{
    char text[80];
    const char *missing = missing_words(labels, text, sizeof text);
    if (labels->count == 0 && !missing)
        return;
    sink_printf(sink, "%slabels ", before);
    for (size_t i = 0; i < labels->count; i++) {
        sink_puts(sink, i ? ", " : "");
        sink_plain(sink, labels->list[i].key);
        sink_puts(sink, "=");
        sink_plain(sink, labels->list[i].value);
    }
    if (missing && labels->count > 0)
        sink_printf(sink, " (%s)", missing);
    else if (missing)
        sink_puts(sink, missing);
    sink_puts(sink, "\n");
}

void labels_write_json(struct sink *sink, const struct label_list *labels)
{
    if (labels->is_changing || labels->is_other) {
        sink_puts(sink, "null");
        return;
    }
    sink_puts(sink, "{");
    for (size_t i = 0; i < labels->count; i++) {
        sink_puts(sink, i ? ", " : "");
        sink_json_string(sink, labels->list[i].key);
        sink_puts(sink, ": ");
        sink_json_string(sink, labels->list[i].value);
    }
    sink_puts(sink, "}");
}
