/* calls_stream.c: streams and directories, which have a descriptor inside.
 *
 * fdopen and fdopendir open nothing: the descriptor keeps who opened it. The
 * C library closes it from within, past close(): so its number is asked for first. */
#include "track/interpose.h"

#include "track/handles.h"

#include <dirent.h>
#include <stdio.h>

/* -1 where there is no descriptor, as in a stream in memory. */
static int fd_of(FILE *stream)
{
    int before = errno;
    int fd = stream ? fileno(stream) : -1;
    errno = before;
    return fd;
}

static int fd_of_directory(DIR *directory)
{
    int before = errno;
    int fd = directory ? dirfd(directory) : -1;
    errno = before;
    return fd;
}

#define STREAM_OPENER(name, parameters, arguments)                                                 \
    INTERPOSE(FILE *, name, parameters)                                                            \
    {                                                                                              \
        FILE *stream = REAL(name) arguments;                                                       \
        track_opened(fd_of(stream), CALL_##name, STACK_FRAME);                                     \
        handle_made(HANDLES_FILES, stream);                                                        \
        return stream;                                                                             \
    }

STREAM_OPENER(fopen, (const char *path, const char *mode), (path, mode))
STREAM_OPENER(fopen64, (const char *path, const char *mode), (path, mode))
STREAM_OPENER(tmpfile, (void), ())
STREAM_OPENER(tmpfile64, (void), ())
STREAM_OPENER(popen, (const char *command, const char *mode), (command, mode))

/* The old descriptor is closed, also when the new one cannot be opened. */
#define STREAM_REOPENER(name)                                                                      \
    INTERPOSE(FILE *, name, (const char *path, const char *mode, FILE *stream))                    \
    {                                                                                              \
        struct closing closing;                                                                    \
        track_closing(&closing, fd_of(stream), CALL_##name, STACK_FRAME);                          \
        bool was_live = handle_ended(HANDLES_FILES, stream);                                       \
        stream = REAL(name)(path, mode, stream);                                                   \
        track_opened(fd_of(stream), CALL_##name, STACK_FRAME);                                     \
        handle_made(HANDLES_FILES, was_live ? stream : NULL);                                      \
        return stream;                                                                             \
    }

STREAM_REOPENER(freopen)
STREAM_REOPENER(freopen64)

INTERPOSE(DIR *, opendir, (const char *path))
{
    DIR *directory = REAL(opendir)(path);
    track_opened(fd_of_directory(directory), CALL_opendir, STACK_FRAME);
    handle_made(HANDLES_DIRECTORIES, directory);
    return directory;
}

#define STREAM_CLOSER(name, type, number_of, failed, kind)                                         \
    INTERPOSE(int, name, (type stream))                                                            \
    {                                                                                              \
        struct closing closing;                                                                    \
        track_closing(&closing, number_of(stream), CALL_##name, STACK_FRAME);                      \
        handle_ended(kind, stream);                                                                \
        int status = REAL(name)(stream);                                                           \
        track_closed(&closing, status == (failed) && errno == EBADF);                              \
        return status;                                                                             \
    }

STREAM_CLOSER(fclose, FILE *, fd_of, EOF, HANDLES_FILES)
STREAM_CLOSER(pclose, FILE *, fd_of, -1, HANDLES_FILES)
STREAM_CLOSER(closedir, DIR *, fd_of_directory, -1, HANDLES_DIRECTORIES)
