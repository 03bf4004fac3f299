/* fds_proc_net.h: the kernel's lists of sockets as text, for where sock_diag is refused. */
#ifndef SNAG_SOURCES_FDS_PROC_NET_H
#define SNAG_SOURCES_FDS_PROC_NET_H

struct socket_set;

/* Each reads one file below "net" in the thread's directory TASK, and fills in what it tells of
 * the sockets in SET. 0 or a negative errno. */
int proc_net_inet(struct socket_set *set, int task, const char *name, int family, int protocol);
int proc_net_tcp(struct socket_set *set, int task); /* of both families */
int proc_net_unix(struct socket_set *set, int task);
int proc_net_netlink(struct socket_set *set, int task);
int proc_net_packet(struct socket_set *set, int task);

#endif
