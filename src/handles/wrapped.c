/* wrapped.c: handles of kinds that are made and ended elsewhere too; see snag/wrap/wrap.h.
 *
 * A FILE * may come from a library and end here, or come from here and end there, and its address
 * be given out again. So a remove of what is not live is no mistake, and what comes is new even if
 * its address is known: who holds it is who made it last. */
#include "handles/inventory.h"
#include "stacks/stacks.h"

#include <snag/wrap/wrap.h>

#include <stddef.h>

/* Begins with the caller of our caller, which stands before the call that makes. */
void snag_wrap_made(snag_profile **here, const char *name, const void *handle, size_t bytes)
{
    struct inventory *inventory = known_here(here, name);
    if (inventory)
        inventory_renew(inventory, handle, bytes, STACK_FRAME, 1);
    SNAG_STAYS(); /* the frame is there until it was read */
}

int snag_wrap_ended(snag_profile **here, const char *name, const void *handle)
{
    struct inventory *inventory = known_here(here, name);
    return inventory && inventory_forget(inventory, handle) == 0;
}
