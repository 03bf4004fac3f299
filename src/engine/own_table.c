/* own_table.c: a descriptor table of the engine's own; see own_table.h.
 *
 * close_range(CLOSE_RANGE_UNSHARE) over everything makes an empty table without
 * copying the old one first. Kernels before 5.9 know unshare(CLONE_FILES),
 * which copies; the copies are closed one by one, or a socket that the service
 * closes would stay open here. Some containers refuse both. */
#include "engine/own_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The list is read while it shrinks, so what is found is closed after the walk. */
static bool close_inherited(void)
{
    DIR *list = opendir("/proc/thread-self/fd");
    if (!list)
        return false;
    int own = dirfd(list);
    int highest = -1;
    struct dirent *entry;
    while ((entry = readdir(list))) {
        int fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);
        highest = fd > highest ? fd : highest;
    }
    for (int fd = 0; fd <= highest; fd++)
        if (fd != own)
            close(fd);
    closedir(list);
    return true;
}

/* What is written to a standard descriptor by mistake must not reach a socket
 * that got its number. Where there is no /dev/null, a handle of the root directory, which cannot
 * be read or written, holds the place. */
static void occupy_standard(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (fd < 0)
            fd = open("/", O_PATH | O_CLOEXEC);
    } while (fd >= 0 && fd < STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

const char *own_table_take(void)
{
    if (syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_UNSHARE) != 0) {
        if (unshare(CLONE_FILES) != 0)
            return "the listener's descriptors are in the service's table: the system refuses "
                   "close_range and unshare";
        if (!close_inherited())
            return "the listener holds copies of the service's descriptors: /proc is not there to "
                   "list them";
    }
    occupy_standard();
    return NULL;
}
