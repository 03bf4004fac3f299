/* handles_stream.c: calls that make a stream or a directory out of what there is.
 *
 * A stream in memory has no descriptor, and that of fdopen keeps who opened it: nothing is recorded
 * of them but the handle. Those that open one are in calls_stream.c. */
#include "track/interpose.h"

#include "track/handles.h"

#include <dirent.h>
#include <stdio.h>

#define HANDLE_MAKER(kind, type, name, parameters, arguments)                                      \
    INTERPOSE(type, name, parameters)                                                              \
    {                                                                                              \
        type made = REAL(name) arguments;                                                          \
        handle_made(kind, made);                                                                   \
        return made;                                                                               \
    }

HANDLE_MAKER(HANDLES_FILES, FILE *, fdopen, (int fd, const char *mode), (fd, mode))
HANDLE_MAKER(HANDLES_FILES, FILE *, fmemopen, (void *memory, size_t size, const char *mode),
             (memory, size, mode))
HANDLE_MAKER(HANDLES_FILES, FILE *, open_memstream, (char **text, size_t *length), (text, length))
HANDLE_MAKER(HANDLES_FILES, FILE *, fopencookie,
             (void *cookie, const char *mode, cookie_io_functions_t calls), (cookie, mode, calls))
HANDLE_MAKER(HANDLES_DIRECTORIES, DIR *, fdopendir, (int fd), (fd))
