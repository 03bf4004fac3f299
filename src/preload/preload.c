/* preload.c: the listener, in a program that knows nothing of it.
 *
 * libsnag-preload is what `snag run` has the loader put into a program
 * (LD_PRELOAD). Its constructor starts the listener, if `snag run` asks for it
 * (variables.h), or gets ready for the leak check, and takes the variables out
 * of the environment, so that what the program starts is left alone; unless it was asked to be in
 * those as well. */
#include "api/inside.h"
#include "preload/execs.h"
#include "preload/forks.h"
#include "preload/leakcheck.h"
#include "preload/listen.h"
#include "preload/variables.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

__attribute__((constructor)) static void begin(void)
{
    const char *wish = getenv(VARIABLE_WISH);
    if (!wish || snag_inside()->abi != INSIDE_ABI)
        return;
    bool checks = getenv(VARIABLE_LEAKCHECK) != NULL;
    bool children = strcmp(wish, VARIABLE_WISH_CHILDREN) == 0;
    variables_keep();
    listen_prepare(children);
    listen_watch_exit();
    if (checks)
        leakcheck_begin();
    if (!children)
        variables_leave_environment();
    if (checks)
        return;
    listen_begin();
    if (listen_is_on())
        forks_watch(children);
    if (listen_is_on() || children)
        execs_watch(children);
}
