/* root.c: where a reader begins; see layout.h. */
#include "handles/handles.h"
#include "handles/layout.h"

extern struct handle_root snag_handles_root;

__attribute__((visibility("default"))) struct handle_root snag_handles_root = {
    .magic = HANDLES_MAGIC,
    .version = HANDLES_VERSION,
    .size = sizeof(struct handle_root),
};

const struct handle_root *handle_root_of_process(void)
{
    return &snag_handles_root;
}
