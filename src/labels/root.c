/* root.c: where a reader begins; see layout.h. */
#include "labels/labels.h"
#include "labels/layout.h"

extern struct label_root snag_labels_root;

__attribute__((visibility("default"))) struct label_root snag_labels_root = {
    .magic = LABELS_MAGIC,
    .version = LABELS_VERSION,
    .size = sizeof(struct label_root),
    .set_count = LABEL_SET_FIRST,
};

const struct label_root *label_root_of_process(void)
{
    return &snag_labels_root;
}
