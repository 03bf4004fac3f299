/* fds_openers.c: the openers of descriptors, from tracking; see fds_openers.h.
 *
 * What tracking knows is of the calls that passed it; a number that was opened again past it must
 * not show its former opener. */
#include "sources/fds_openers.h"

#include "sources/fds.h"
#include "sources/fds_kinds.h"
#include "sources/origin_keep.h"

static bool find(struct tracking *tracking, struct descriptor *descriptor)
{
    const char *link = descriptor->kind == kind_memfd ? "/memfd:" : descriptor->target;
    return tracking_fd(tracking, descriptor->fd, &descriptor->origin) &&
           (descriptor->kind == kind_unknown || tracking_fits(&descriptor->origin, link));
}

void fd_openers_find(struct fd_dump *dump, struct tracking *tracking)
{
    struct origin_keeper keeper = { 0 };
    dump->tracked = tracking && tracking_refresh(tracking);
    for (size_t i = 0; dump->tracked && i < dump->count; i++) {
        struct descriptor *descriptor = &dump->descriptors[i];
        descriptor->has_origin = find(tracking, descriptor);
        if (descriptor->has_origin)
            origin_keep(&keeper, &dump->arena, &descriptor->origin);
        else
            descriptor->origin = (struct origin){ 0 };
    }
}
