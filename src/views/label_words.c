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

static const char *unknown_words(const struct label_list *labels)
{
    return labels->is_other ? "there was no room for them" : "they changed all the time";
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
    char *text = texts->keys[count];
    text[0] = 0;
    if (labels->is_other || labels->is_changing)
        snprintf(text, sizeof *texts->keys, "%s", unknown_words(labels));
    else if (labels->left_out > 0)
        snprintf(text, sizeof *texts->keys, "%zu had no room", labels->left_out);
    if (text[0])
        tags[count++] = (struct profile_label){ .key = "labels", .text = text };
    return count;
}

void labels_write(struct sink *sink, const struct label_list *labels, const char *indent)
{
    bool known = !labels->is_other && !labels->is_changing;
    if (known && labels->count == 0 && labels->left_out == 0)
        return;
    sink_printf(sink, "%slabels", indent);
    for (size_t i = 0; i < labels->count; i++) {
        sink_puts(sink, i ? ", " : " ");
        sink_plain(sink, labels->list[i].key);
        sink_puts(sink, "=");
        sink_plain(sink, labels->list[i].value);
    }
    if (labels->left_out > 0)
        sink_printf(sink, "%s %zu more that had no room", labels->count > 0 ? " and" : "",
                    labels->left_out);
    if (!known)
        sink_printf(sink, " not known: %s", unknown_words(labels));
    sink_puts(sink, "\n");
}

void labels_write_json(struct sink *sink, const struct label_list *labels)
{
    sink_puts(sink, "\"labels\": {");
    for (size_t i = 0; i < labels->count; i++) {
        sink_puts(sink, i ? ", " : "");
        sink_json_string(sink, labels->list[i].key);
        sink_puts(sink, ": ");
        sink_json_string(sink, labels->list[i].value);
    }
    sink_printf(sink, "}, \"labels_left_out\": %zu, \"labels_known\": %s", labels->left_out,
                labels->is_other || labels->is_changing ? "false" : "true");
}
