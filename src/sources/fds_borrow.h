/* fds_borrow.h: a look at a pipe or a socket of the own process through a copy of its
 * descriptor, for what no list tells. */
#ifndef SNAG_SOURCES_FDS_BORROW_H
#define SNAG_SOURCES_FDS_BORROW_H

#include <stdbool.h>
#include <stdint.h>

struct fd_place;
struct socket_fact;
struct socket_set;
struct target;

struct borrower {
    const struct fd_place *place;
    bool allowed; /* own process, own table, no filter of system calls */
    int pidfd;    /* of the process; -1 not opened yet, or refused */
};

void borrower_init(struct borrower *borrower, const struct target *target,
                   const struct fd_place *place);
void borrower_close(struct borrower *borrower);

/* The bytes that wait in pipe INODE, which FD led to a moment ago. False when it cannot be had. */
bool borrow_pipe(struct borrower *borrower, int fd, uint64_t inode, uint64_t *bytes);

/* Fills FACT from the socket itself. False when it cannot be had. */
bool borrow_socket(struct borrower *borrower, struct socket_set *set, struct socket_fact *fact);

#endif
