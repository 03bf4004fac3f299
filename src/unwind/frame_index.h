/* frame_index.h: a search table for unwind information that has none. Private to unwind/. */
#ifndef SNAG_UNWIND_FRAME_INDEX_H
#define SNAG_UNWIND_FRAME_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module;
struct target;

/* As in .eh_frame_hdr: a function and its description, from the module's eh_frame on. */
struct frame_entry {
    int32_t start;
    int32_t description;
};

struct frame_index {
    struct frame_entry *entries; /* by start */
    size_t count;
};

/* Makes the table for MODULE out of its eh_frame; an empty one where that cannot be read. */
void frame_index_make(struct frame_index *index, struct target *target,
                      const struct module *module);
void frame_index_free(struct frame_index *index);

#endif
