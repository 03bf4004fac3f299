/* fds_netlink.h: questions to the kernel's sock_diag, one list at a time. */
#ifndef SNAG_SOURCES_FDS_NETLINK_H
#define SNAG_SOURCES_FDS_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target;

struct diag {
    int fd;            /* NETLINK_SOCK_DIAG; -1 without */
    int error;         /* why there is none: a negative errno */
    char space[32];    /* the network namespace it looks at: "net:[4026531840]"; "" unknown */
    char *buffer;      /* of one answer */
    uint32_t sequence; /* of the last question */
};

/* Opens the socket once and for all, so that a service which locks itself in later changes
 * nothing. */
void diag_open(struct diag *diag, const struct target *target);
void diag_close(struct diag *diag);

/* Gives the buffer back. */
void diag_trim(struct diag *diag);

/* Takes one socket of the answer: MESSAGE of LENGTH bytes, attributes behind it. */
typedef void diag_take(void *context, const void *message, size_t length);

/* Asks with REQUEST of TYPE (SOCK_DIAG_BY_FAMILY ...) for a whole list. 0; -EINTR when the list
 * changed so that some may be missing in what was taken; else a negative errno: -ENOENT for a list
 * that this kernel does not have. */
int diag_dump(struct diag *diag, uint16_t type, const void *request, size_t length, diag_take *take,
              void *context);

/* The attribute TYPE behind the first HEAD bytes of MESSAGE, its size in *SIZE; NULL. */
const void *diag_attribute(const void *message, size_t length, size_t head, unsigned type,
                           size_t *size);

#endif
