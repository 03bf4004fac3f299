/* write_all.h: bytes to a descriptor, all of them, however many calls it takes. */
#ifndef SNAG_BASE_WRITE_ALL_H
#define SNAG_BASE_WRITE_ALL_H

#include <stddef.h>

/* 0 or a negative errno; a part may have been written by then. */
int write_all(int fd, const char *bytes, size_t length);

#endif
