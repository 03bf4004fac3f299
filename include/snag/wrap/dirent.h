/* dirent.h: every open DIR * with the function that opened it, in the inventory dirent.DIR.
 *
 *     #include <snag/wrap/dirent.h>   last of the includes; see wrap.h */
#ifndef SNAG_WRAP_DIRENT_H
#define SNAG_WRAP_DIRENT_H

#include <snag/wrap/wrap.h>

#include <dirent.h>

SNAG_WRAP_INVENTORY(snag_wrap_directories, "dirent.DIR");

SNAG_WRAP_MAKER(snag_wrap_directories, DIR *, opendir, (SNAG_WRAP_PLACE, const char *path), (path))
SNAG_WRAP_ENDER(snag_wrap_directories, int, closedir, DIR *)

#define opendir(...) snag_wrap_opendir(SNAG_WRAP_HERE, __VA_ARGS__)
#define closedir snag_wrap_closedir

#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 200809L
SNAG_WRAP_MAKER(snag_wrap_directories, DIR *, fdopendir, (SNAG_WRAP_PLACE, int fd), (fd))
#define fdopendir(...) snag_wrap_fdopendir(SNAG_WRAP_HERE, __VA_ARGS__)
#endif

#endif
