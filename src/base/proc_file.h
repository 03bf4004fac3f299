/* proc_file.h: files of procfs, read whole. */
#ifndef SNAG_BASE_PROC_FILE_H
#define SNAG_BASE_PROC_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Reads the file PATH below the directory DIRECTORY_FD into TEXT (at most
 * SIZE-1 bytes, always terminated). Returns the length or a negative errno. */
ssize_t proc_read(int directory_fd, const char *path, char *text, size_t size);

/* Reads a file of any length, e.g. "maps". *TEXT is to be freed with free(). */
ssize_t proc_read_whole(int directory_fd, const char *path, char **text);

/* The same of a file that is kept open, from its beginning. */
ssize_t proc_read_again(int fd, char **text);

#endif
