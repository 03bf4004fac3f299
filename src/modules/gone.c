/* gone.c: code that is not mapped any more, at addresses of its own; see modules.h.
 *
 * A stack that was recorded in the service may lead through a plug-in that was
 * unloaded since, and its addresses may be another one's by now. Moved to where
 * no process has memory, they name the right file again. */
#include "modules/modules.h"

#include "modules/module_list.h"

#include <stdlib.h>
#include <string.h>

/* Above all that a 64-bit process can map, and below FRAME_EXACT. */
#define GONE_START (UINT64_C(1) << 60)
#define GONE_STRIDE (UINT64_C(1) << 44)

bool modules_add_gone(struct modules *modules, const struct gone_code *code, uint64_t *shift)
{
    struct module *module = calloc(1, sizeof *module);
    if (!module)
        return false;
    uint64_t place = GONE_START + (uint64_t)modules_count(modules) % (1 << 15) * GONE_STRIDE;
    *shift = place - code->start;
    module->retired = true;
    module->is_elf = true;
    module->start = place;
    module->end = place + (code->end - code->start);
    module->file_offset = code->start - code->bias;
    module->bias = code->bias + *shift;
    module->path = strdup(code->path);
    if (code->build_id_length <= sizeof module->build_id) {
        memcpy(module->build_id, code->build_id, code->build_id_length);
        module->build_id_length = code->build_id_length;
    }
    if (module->path && module_list_add(modules, module))
        return true;
    free(module->path);
    free(module);
    return false;
}
