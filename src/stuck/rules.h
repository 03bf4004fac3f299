/* rules.h: what counts as stuck, and after how long. The one place for it.
 *
 * | what                                                              | after        |
 * |-------------------------------------------------------------------|--------------|
 * | a deadlock, a lock whose owner is gone                             | at once      |
 * | waiting for a lock (mutex, rwlock, FILE, once, the C library's)    | LOCK_NS      |
 * | writing to, or connecting, anything                                | WRITE_NS     |
 * | uninterruptible sleep in the kernel (a disk, a network mount)      | DISK_NS      |
 * | in a page fault: a page of a disk, a mount, a userfaultfd          | DISK_NS      |
 * | waiting for a lock on a file                                       | FILE_LOCK_NS |
 * | opening a file or a FIFO                                           | OPEN_NS      |
 * | reading from a peer that this process called                       | READ_NS      |
 * | sockets in CLOSE_WAIT: MANY_CLOSE_WAIT of them                     | at once      |
 * | ... or any that was so in an earlier diagnosis, so long ago        | REMEMBER_NS  |
 * | bytes unread, as many as in an earlier diagnosis, so long ago, but | REMEMBER_NS  |
 * | not in a pipe of which the process has the other end, too          |              |
 * | open descriptors: FDS_MANY per cent of the limit                   | at once      |
 * | a close of a descriptor that was not open                          | at once      |
 *
 * Never a finding by itself, however long: waiting for a condition, a semaphore, a barrier, a
 * futex, an epoll or a set of several descriptors, a connection to accept, a request of a
 * client (a socket that was accepted), a pipe or an unnamed socket pair to read, an eventfd, a
 * timer, a signal, a child, a thread's end, a message. Whoever waits for work waits like that.
 * Such a thread is told of where a lock that others wait for is held by it; but not where it waits
 * for work that may come from anybody: in an epoll, a set of several descriptors, or for a
 * connection to accept (wait.idle). Then those who wait for its mutex or rwlock are a pool that
 * takes turns at that, or that the holder keeps from running until it has work for them, and are
 * no finding, however long. Any other holder makes one: it runs, sleeps, reads from one peer ... */
#ifndef SNAG_STUCK_RULES_H
#define SNAG_STUCK_RULES_H

#include <stdint.h>

#define SECONDS(n) (UINT64_C(1000000000) * (n))

#define LOCK_NS SECONDS(5)
#define WRITE_NS SECONDS(10)
#define DISK_NS SECONDS(10)
#define FILE_LOCK_NS SECONDS(10)
#define OPEN_NS SECONDS(10)
#define READ_NS SECONDS(30)
#define REMEMBER_NS SECONDS(10)

#define MANY_CLOSE_WAIT 10
#define FDS_MANY 80 /* per cent of the limit ... */
#define FDS_OUT 95  /* ... and of this on it is among the worst */

#endif
