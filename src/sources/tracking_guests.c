/* tracking_guests.c: stacks through libraries that may be gone; see tracking_guests.h.
 *
 * A frame says by a number which library it went through. If the very same
 * one (by its build id, else by its file) is mapped there now, its address is as
 * good as any. If not, whatever lies there now must not name it: the frame is moved to a place
 * of its own, where the table of modules has what was noted of the library. */
#include "sources/tracking_guests.h"

#include "base/stack.h"
#include "modules/modules.h"

#include <stdbool.h>
#include <string.h>

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The loader's path may be relative, or lead over a link: only its last part is compared. */
static bool is_the_same(const struct stack_guest *guest, const struct module *module)
{
    if (module->retired || !module->is_elf || module->bias != guest->bias ||
        module->build_id_length != guest->build_id_size)
        return false;
    if (guest->build_id_size > 0)
        return memcmp(module->build_id, guest->build_id, guest->build_id_size) == 0;
    return strcmp(file_name(module->path), file_name(guest->path)) == 0;
}

static bool is_mapped(const struct modules *modules, const struct stack_guest *guest)
{
    for (size_t i = 0; i < modules_count(modules); i++)
        if (is_the_same(guest, modules_at(modules, i)))
            return true;
    return false;
}

static uint64_t shift_of(struct modules *modules, const struct stack_guest *guest)
{
    uint64_t shift = 0;
    const struct gone_code code = {
        .path = guest->path[0] ? guest->path : "[unloaded]",
        .start = guest->start,
        .end = guest->end,
        .bias = guest->bias,
        .build_id = guest->build_id,
        .build_id_length = guest->build_id_size,
    };
    modules_add_gone(modules, &code, &shift);
    return shift;
}

/* What the target says is checked before it is used. */
static bool is_sane(struct stack_guest *guest)
{
    guest->path[sizeof guest->path - 1] = 0;
    return atomic_load_explicit(&guest->ready, memory_order_relaxed) &&
           guest->build_id_size <= sizeof guest->build_id && guest->start < guest->end &&
           guest->end < UINT64_C(1) << FRAME_GUEST_SHIFT;
}

void guests_look(struct guest_shifts *shifts, struct modules *modules, struct stack_guest *list,
                 uint32_t count)
{
    bool fresh = false; /* a library that came a moment ago is in the table of modules, too */
    for (uint32_t i = 0; i < count; i++) {
        uint64_t *shift = &shifts->by_number[i + 1];
        if (*shift != 0 || !is_sane(&list[i]) || is_mapped(modules, &list[i]))
            continue;
        if (!fresh) {
            if (modules_refresh(modules) != 0)
                return;
            fresh = true;
            i--;
            continue;
        }
        *shift = shift_of(modules, &list[i]);
    }
}

uint64_t guests_frame(const struct guest_shifts *shifts, uint64_t frame)
{
    uint64_t number = frame >> FRAME_GUEST_SHIFT & FRAME_GUEST_MASK;
    frame &= ~(FRAME_GUEST_MASK << FRAME_GUEST_SHIFT);
    uint64_t shift = number <= POOL_GUESTS ? shifts->by_number[number] : 0;
    return (frame & FRAME_EXACT) | ((frame_address(frame) + shift) & ~FRAME_EXACT);
}
