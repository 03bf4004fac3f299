/* calls_close.c: calls that close by number. */
#include "track/interpose.h"

#include <linux/close_range.h>
#include <mqueue.h>
#include <sys/syscall.h>
#include <unistd.h>

INTERPOSE(int, close, (int fd))
{
    struct closing closing;
    if (!track_is_ready())
        return (int)syscall(SYS_close, fd);
    track_closing(&closing, fd, CALL_close, STACK_FRAME);
    int status = REAL(close)(fd);
    track_closed(&closing, status == -1 && errno == EBADF);
    return status;
}

INTERPOSE(int, mq_close, (mqd_t queue))
{
    struct closing closing;
    track_closing(&closing, queue, CALL_mq_close, STACK_FRAME);
    int status = REAL(mq_close)(queue);
    track_closed(&closing, status == -1 && errno == EBADF);
    return status;
}

/* Recorded before it happens, as a close is. Where the kernel does not know the call (before Linux
 * 5.9), who made it closes one by one next. */
INTERPOSE(int, close_range, (unsigned first, unsigned last, int flags))
{
    if (flags == 0 && first <= last)
        track_closing_range(first, last, CALL_close_range, STACK_FRAME);
    int status = REAL(close_range)(first, last, flags);
    if (status == 0 && (flags & CLOSE_RANGE_UNSHARE))
        who_leaves();
    return status;
}

INTERPOSE(void, closefrom, (int first))
{
    track_closing_range(first < 0 ? 0 : (unsigned)first, ~0u, CALL_closefrom, STACK_FRAME);
    REAL(closefrom)(first);
}
