/* address_file.h: the file that says where a process listens, for scripts. */
#ifndef SNAG_PRELOAD_ADDRESS_FILE_H
#define SNAG_PRELOAD_ADDRESS_FILE_H

#include <sys/types.h>

/* Writes ADDRESS and a newline to the file PATTERN (NULL: none), in which %p is the process id:
 * whole or not at all. 0 or a negative errno. */
int address_file_write(const char *pattern, const char *address);

/* Removes the file that the process WRITER, this one or one it descends from, has written last. */
void address_file_remove(pid_t writer);

#endif
