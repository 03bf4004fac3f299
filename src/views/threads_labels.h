/* threads_labels.h: the labels of a group of threads. */
#ifndef SNAG_VIEWS_THREADS_LABELS_H
#define SNAG_VIEWS_THREADS_LABELS_H

#include <stddef.h>

struct sink;
struct thread_sample;

/* A line for each key, beginning with BEFORE: "label tenant: acme (12), globex (3), others (2)".
 * The keys that most threads have come first, and the values that most have; others are those with
 * another value, or none. Nothing where no thread has labels. */
void threads_write_label_values(struct sink *sink, const struct thread_sample *const *threads,
                                size_t count, const char *before);

#endif
