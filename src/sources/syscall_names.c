/* syscall_names.c: names of system calls, from the headers of the machine that
 * snag was built for. */
#include "sources/threads.h"

#include <asm/unistd.h>

static const char *const names[] = {
#include "syscall_names.inc"
};

const char *syscall_name(long number)
{
    return number >= 0 && number < (long)(sizeof names / sizeof *names) ? names[number] : NULL;
}
