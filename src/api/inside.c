/* inside.c: the door of inside.h. */
#include "api/inside.h"

#include "api/listener.h"
#include "api/quiet_thread.h"
#include "api/start.h"

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
        .start_from = start_from,
        .quiet_thread = quiet_thread_detach,
    };
    return &inside;
}
