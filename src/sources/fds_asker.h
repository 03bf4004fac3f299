/* fds_asker.h: the ways to ask about sockets, and which of them have been refused. */
#ifndef SNAG_SOURCES_FDS_ASKER_H
#define SNAG_SOURCES_FDS_ASKER_H

#include "sources/fds_netlink.h"

struct socket_asker {
    struct diag diag;
    unsigned refused; /* bit for each list (fds_sockets.c): sock_diag does not have it here */
};

#endif
