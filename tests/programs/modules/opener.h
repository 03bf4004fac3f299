/* opener.h: the code of both; OPENS is the function's name. */
#include <fcntl.h>

int OPENS(const char *path);

__attribute__((visibility("default"), noinline)) int OPENS(const char *path)
{
    int fd = open(path, O_RDONLY);
    __asm__ volatile("" ::: "memory");
    return fd;
}

/* By one name for both. */
__attribute__((visibility("default"))) int (*const plugin_opens)(const char *) = OPENS;
