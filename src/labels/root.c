/* root.c: where a reader begins; see layout.h.
 *
 * All zeros but for its first words, so that it is no part of the library's file and costs no
 * memory until it is used. Those words come before any constructor of the service's. */
#include "labels/labels.h"
#include "labels/layout.h"

extern struct label_root snag_labels_root;

__attribute__((visibility("default"))) struct label_root snag_labels_root;

static __attribute__((constructor(101))) void sign(void)
{
    snag_labels_root.size = sizeof snag_labels_root;
    snag_labels_root.version = LABELS_VERSION;
    snag_labels_root.magic = LABELS_MAGIC;
}

const struct label_root *label_root_of_process(void)
{
    return &snag_labels_root;
}
