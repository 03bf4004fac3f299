/* listen.h: the listening socket. */
#ifndef SNAG_SERVER_LISTEN_H
#define SNAG_SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct listen_address;

struct listening {
    int fd;
    char text[160]; /* the address it got: "127.0.0.1:43211" */
    bool is_unix;
    int directory_fd; /* of a Unix socket: where it lies, kept for a service that chroots */
    char name[108];   /* ... under which name */
    dev_t device;     /* ... and which file it is, to remove no other one */
    ino_t inode;
};

/* Binds ADDRESS and listens. 0, or a negative errno; WHY then ends a
 * sentence that begins "cannot listen on ADDRESS: ". */
int listen_open(struct listening *listening, const struct listen_address *address, char *why,
                size_t size);

/* Closes it; a Unix socket's file goes too, if it is still that one. */
void listen_close(struct listening *listening);

/* listen_unix.c: the part for Unix sockets. */
int listen_open_unix(struct listening *listening, const struct listen_address *address, char *why,
                     size_t size);

#define LISTEN_BACKLOG 128

#endif
