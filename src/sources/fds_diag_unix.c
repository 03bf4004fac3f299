/* fds_diag_unix.c: the list of unix sockets; see fds_diag.h.
 *
 * A client has no name of its own: whom it talks to is told by the name of its other end, which
 * mostly belongs to another process. So of every socket that passes by, its name and
 * what it has not read yet are remembered (struct socket_peer). */
#include "sources/fds_diag.h"

#include "sources/fds_address.h"
#include "sources/fds_netlink.h"
#include "sources/fds_protocols.h"
#include "sources/fds_sockets.h"

#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

struct attributes {
    char name[ADDRESS_ROOM];
    uint32_t peer_inode;
    bool is_shut;
    bool queue_known;
    uint64_t unread;
};

static void read_attributes(const void *message, size_t length, struct attributes *found)
{
    const size_t head = sizeof(struct unix_diag_msg);
    size_t size;
    found->name[0] = 0;
    const char *name = diag_attribute(message, length, head, UNIX_DIAG_NAME, &size);
    if (name)
        address_of_unix(found->name, name, size);
    const uint32_t *peer = diag_attribute(message, length, head, UNIX_DIAG_PEER, &size);
    found->peer_inode = peer && size >= sizeof *peer ? *peer : 0;
    const uint8_t *shut = diag_attribute(message, length, head, UNIX_DIAG_SHUTDOWN, &size);
    found->is_shut = shut && size >= 1 && (*shut & 1 /* RCV_SHUTDOWN */);
    const struct unix_diag_rqlen *queues =
        diag_attribute(message, length, head, UNIX_DIAG_RQLEN, &size);
    found->queue_known = queues && size >= sizeof *queues;
    found->unread = found->queue_known ? queues->udiag_rqueue : 0;
}

static void take_unix(void *context, const void *message, size_t length)
{
    struct socket_set *set = context;
    const struct unix_diag_msg *socket = message;
    if (length < sizeof *socket)
        return;
    struct attributes found;
    read_attributes(message, length, &found);
    struct socket_fact *fact = socket_set_find(set, socket->udiag_ino);
    if (fact)
        unix_facts_take(set, fact,
                        &(struct unix_facts){
                            .type = socket->udiag_type,
                            .state = socket->udiag_state,
                            .name = found.name,
                            .ends_known = true,
                            .peer_inode = found.peer_inode,
                            .is_shut = found.is_shut,
                            .queue_known = found.queue_known,
                            .unread = found.unread,
                        });
    if (found.name[0] || found.unread > 0)
        socket_set_add_peer(set,
                            (struct socket_peer){
                                .inode = socket->udiag_ino,
                                .name = found.name[0] ? (fact ? fact->local
                                                              : socket_set_text(set, found.name))
                                                      : NULL,
                                .unread = found.unread,
                            });
}

int diag_unix(struct diag *diag, struct socket_set *set)
{
    const struct unix_diag_req request = {
        .sdiag_family = AF_UNIX,
        .udiag_states = ~0u,
        .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN,
    };
    return diag_dump(diag, SOCK_DIAG_BY_FAMILY, &request, sizeof request, take_unix, set);
}
