/* label_words.h: a service's labels, the same in every view that shows them. */
#ifndef SNAG_VIEWS_LABEL_WORDS_H
#define SNAG_VIEWS_LABEL_WORDS_H

#include <stddef.h>

struct label_list;
struct profile_label;
struct sink;

/* Labels as tags of a pprof sample. One more than a thread may have: what is missing of them is
 * said by the tag "labels". */
#define LABEL_TAGS_MAX 17

struct label_tag_texts {
    char keys[LABEL_TAGS_MAX][80];
};

/* Fills TAGS, which has room for LABEL_TAGS_MAX; how many. A key that a view has a meaning of its
 * own for ("thread", "inventory") comes as "label.KEY". TEXTS is room that must last as long as
 * TAGS. */
size_t label_tags(const struct label_list *labels, struct profile_label *tags,
                  struct label_tag_texts *texts);

/* "labels request=17, tenant=acme and 2 more that had no room", a line that begins with INDENT;
 * nothing at all when there are none. */
void labels_write(struct sink *sink, const struct label_list *labels, const char *indent);

/* Three members of a JSON object: the labels, how many were left out, whether they are known. */
void labels_write_json(struct sink *sink, const struct label_list *labels);

#endif
