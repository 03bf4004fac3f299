/* slow_constructor.c: a library whose constructor never ends, so that dlopen
 * keeps the loader's lock for ever. */
#include <unistd.h>

void waits_in_constructor(void);

__attribute__((constructor)) void waits_in_constructor(void)
{
    for (;;)
        pause();
}
