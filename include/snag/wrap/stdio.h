/* stdio.h: every open FILE * with the function that opened it, in the inventory stdio.FILE.
 *
 *     #include <snag/wrap/stdio.h>   last of the includes; see wrap.h
 *
 * A stream that freopen gives another file stays the handle that it was, held by who called
 * freopen; stdin, stdout and stderr, which nobody opened, are not entered by it. */
#ifndef SNAG_WRAP_STDIO_H
#define SNAG_WRAP_STDIO_H

#include <snag/wrap/wrap.h>

#ifdef __cplusplus
#include <cstdio> /* which undefines macros, once */
#else
#include <stdio.h>
#endif

SNAG_WRAP_INVENTORY(snag_wrap_files, "stdio.FILE");

#define SNAG_WRAP_OPENER(call, parameters, arguments)                                              \
    SNAG_WRAP_MAKER(snag_wrap_files, FILE *, call, parameters, arguments)

#define SNAG_WRAP_REOPENER(call)                                                                   \
    SNAG_WRAP_FUNCTION FILE *snag_wrap_##call(SNAG_WRAP_PLACE, const char *path, const char *mode, \
                                              FILE *stream)                                        \
    {                                                                                              \
        SNAG_WRAP_BEGIN();                                                                         \
        int was_live = SNAG_WRAP_ENDED(snag_wrap_files, stream);                                   \
        FILE *made = call(path, mode, stream);                                                     \
        if (made && was_live)                                                                      \
            SNAG_WRAP_MADE(snag_wrap_files, made, 0);                                              \
        return made;                                                                               \
    }

SNAG_WRAP_OPENER(fopen, (SNAG_WRAP_PLACE, const char *path, const char *mode), (path, mode))
SNAG_WRAP_OPENER(tmpfile, (SNAG_WRAP_PLACE), ())
SNAG_WRAP_REOPENER(freopen)
SNAG_WRAP_ENDER(snag_wrap_files, int, fclose, FILE *)

#define fopen(...) snag_wrap_fopen(SNAG_WRAP_HERE, __VA_ARGS__)
#define tmpfile() snag_wrap_tmpfile(SNAG_WRAP_HERE)
#define freopen(...) snag_wrap_freopen(SNAG_WRAP_HERE, __VA_ARGS__)
#define fclose snag_wrap_fclose

#ifdef __cplusplus
namespace std /* for std::fopen(...) */
{
using ::snag_wrap_fclose;
using ::snag_wrap_fopen;
using ::snag_wrap_freopen;
using ::snag_wrap_tmpfile;
} // namespace std
#endif

#if defined(_LARGEFILE64_SOURCE)
SNAG_WRAP_OPENER(fopen64, (SNAG_WRAP_PLACE, const char *path, const char *mode), (path, mode))
SNAG_WRAP_OPENER(tmpfile64, (SNAG_WRAP_PLACE), ())
SNAG_WRAP_REOPENER(freopen64)
#define fopen64(...) snag_wrap_fopen64(SNAG_WRAP_HERE, __VA_ARGS__)
#define tmpfile64() snag_wrap_tmpfile64(SNAG_WRAP_HERE)
#define freopen64(...) snag_wrap_freopen64(SNAG_WRAP_HERE, __VA_ARGS__)
#endif

#if defined(_POSIX_C_SOURCE)
SNAG_WRAP_OPENER(fdopen, (SNAG_WRAP_PLACE, int fd, const char *mode), (fd, mode))
#define fdopen(...) snag_wrap_fdopen(SNAG_WRAP_HERE, __VA_ARGS__)
#endif

#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 2
SNAG_WRAP_OPENER(popen, (SNAG_WRAP_PLACE, const char *command, const char *mode), (command, mode))
SNAG_WRAP_ENDER(snag_wrap_files, int, pclose, FILE *)
#define popen(...) snag_wrap_popen(SNAG_WRAP_HERE, __VA_ARGS__)
#define pclose snag_wrap_pclose
#endif

#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 200809L
SNAG_WRAP_OPENER(fmemopen, (SNAG_WRAP_PLACE, void *memory, size_t size, const char *mode),
                 (memory, size, mode))
SNAG_WRAP_OPENER(open_memstream, (SNAG_WRAP_PLACE, char **text, size_t *length), (text, length))
#define fmemopen(...) snag_wrap_fmemopen(SNAG_WRAP_HERE, __VA_ARGS__)
#define open_memstream(...) snag_wrap_open_memstream(SNAG_WRAP_HERE, __VA_ARGS__)
#endif

#if defined(_GNU_SOURCE)
SNAG_WRAP_OPENER(fopencookie,
                 (SNAG_WRAP_PLACE, void *cookie, const char *mode, cookie_io_functions_t calls),
                 (cookie, mode, calls))
#define fopencookie(...) snag_wrap_fopencookie(SNAG_WRAP_HERE, __VA_ARGS__)
#endif

#endif
