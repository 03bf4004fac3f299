/* inside.c: the door of inside.h. */
#include "api/inside.h"

#include "api/listener.h"

const struct snag_inside *snag_inside(void)
{
    static const struct snag_inside inside = {
        .abi = INSIDE_ABI,
        .is_own_thread = listener_is_caller,
        .stack_here = stack_here,
        .stack_number = stack_number,
        .stack_pool = stack_pool_of_process,
        .labels_for_thread = labels_for_thread,
        .labels_begin = labels_begin,
        .labels_unused = labels_unused,
    };
    return &inside;
}
