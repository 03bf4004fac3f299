/* c_library.c: whose code a location is, by the name of its module.
 *
 * A sanitizer's runtime stands before the C library's calls (and, linked in, is known by the names
 * that its functions have). */
#include "symbolize/symbolize.h"

#include "modules/modules.h"

#include <string.h>

int location_is_c_library(const struct location *location)
{
    static const char *const names[] = { "libc.so", "libc-", "libpthread", "ld-linux", "libsnag",
                                         "libasan", "libtsan", "libubsan", "liblsan", "libhwasan" };
    const char *function = location->lines[location->line_count - 1].function;
    if (strncmp(function, "__interceptor_", strlen("__interceptor_")) == 0)
        return 1;
    if (!location->module)
        return 0;
    const char *name = module_name(location->module);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return 1;
    return location->module->is_vdso;
}
