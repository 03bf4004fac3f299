/* dirent.c: directories. Compiled as C and as C++. */
#include "check.h"

#include <fcntl.h>

#include <snag/wrap/dirent.h>

APART DIR *by_opendir(void)
{
    return opendir("/");
}

APART DIR *by_fdopendir(void)
{
    return fdopendir(open("/", O_RDONLY | O_DIRECTORY));
}

static int (*const close_by_pointer)(DIR *) = closedir;

int main(void)
{
    CHECK_PAIR("dirent.DIR", DIR, by_opendir, closedir);
    CHECK_PAIR("dirent.DIR", DIR, by_fdopendir, close_by_pointer);
    EXPECT(opendir("/no/such/directory") == NOTHING);
    EXPECT(errno == ENOENT);
    EXPECT(fdopendir(-1) == NOTHING);
    EXPECT(live("dirent.DIR") == 0);
    return checks_end();
}
