/* guest.c: a library that is loaded, called, and unloaded again. */
#include <unistd.h>

void guest_waits(int fd, void (*before)(void));

__attribute__((noinline)) void guest_waits(int fd, void (*before)(void))
{
    char byte;
    before();
    if (read(fd, &byte, 1) < 0)
        __asm__ volatile("" ::: "memory");
    __asm__ volatile("" ::: "memory");
}
