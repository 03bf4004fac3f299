/* calls_open.c: calls that return a new descriptor.
 *
 * A row is all there is to say of each. Those with a mode that is only there
 * with O_CREAT follow by hand. */
#include "track/interpose.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of a C library that is older than the program's headers. */
static int no_such_call(void)
{
    errno = ENOSYS;
    return -1;
}

#define OPENER(name, parameters, arguments)                                                        \
    INTERPOSE(int, name, parameters)                                                               \
    {                                                                                              \
        if (!real_function(CALL_##name))                                                           \
            return no_such_call();                                                                 \
        int fd = REAL(name) arguments;                                                             \
        track_opened(fd, CALL_##name, STACK_FRAME);                                                \
        return fd;                                                                                 \
    }

OPENER(socket, (int domain, int type, int protocol), (domain, type, protocol))
OPENER(accept, (int fd_, struct sockaddr *address, socklen_t *length), (fd_, address, length))
OPENER(accept4, (int fd_, struct sockaddr *address, socklen_t *length, int flags),
       (fd_, address, length, flags))
OPENER(dup, (int old), (old))
OPENER(eventfd, (unsigned count, int flags), (count, flags))
OPENER(timerfd_create, (clockid_t clock, int flags), (clock, flags))
OPENER(inotify_init, (void), ())
OPENER(inotify_init1, (int flags), (flags))
OPENER(fanotify_init, (unsigned flags, unsigned file_flags), (flags, file_flags))
OPENER(epoll_create, (int size), (size))
OPENER(epoll_create1, (int flags), (flags))
OPENER(memfd_create, (const char *name, unsigned flags), (name, flags))
OPENER(pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
OPENER(pidfd_getfd, (int pidfd, int target, unsigned flags), (pidfd, target, flags))
OPENER(creat, (const char *path, mode_t mode), (path, mode))
OPENER(creat64, (const char *path, mode_t mode), (path, mode))
OPENER(open_by_handle_at, (int mount, struct file_handle *handle, int flags),
       (mount, handle, flags))
OPENER(shm_open, (const char *name, int flags, mode_t mode), (name, flags, mode))
OPENER(mkstemp, (char *path), (path))
OPENER(mkstemp64, (char *path), (path))
OPENER(mkostemp, (char *path, int flags), (path, flags))
OPENER(mkostemp64, (char *path, int flags), (path, flags))
OPENER(mkstemps, (char *path, int tail), (path, tail))
OPENER(mkstemps64, (char *path, int tail), (path, tail))
OPENER(mkostemps, (char *path, int tail, int flags), (path, tail, flags))
OPENER(mkostemps64, (char *path, int tail, int flags), (path, tail, flags))
OPENER(posix_openpt, (int flags), (flags))
OPENER(getpt, (void), ())

/* With a descriptor of its own it changes that one. */
INTERPOSE(int, signalfd, (int old, const sigset_t *mask, int flags))
{
    int fd = REAL(signalfd)(old, mask, flags);
    if (old == -1)
        track_opened(fd, CALL_signalfd, STACK_FRAME);
    return fd;
}

/* Whether a mode follows FLAGS. */
static bool takes_mode(int flags)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

/* The mode behind LAST, 0 when there is none. */
#define MODE_AFTER(last, flags, mode)                                                              \
    mode_t mode = 0;                                                                               \
    if (takes_mode(flags)) {                                                                       \
        va_list rest;                                                                              \
        va_start(rest, last);                                                                      \
        mode = va_arg(rest, mode_t);                                                               \
        va_end(rest);                                                                              \
    }

#define OPENER_BY_PATH(name)                                                                       \
    INTERPOSE(int, name, (const char *path, int flags, ...))                                       \
    {                                                                                              \
        MODE_AFTER(flags, flags, mode)                                                             \
        if (!track_is_ready())                                                                     \
            return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);                          \
        int fd = REAL(name)(path, flags, mode);                                                    \
        track_opened(fd, CALL_##name, STACK_FRAME);                                                \
        return fd;                                                                                 \
    }

#define OPENER_AT(name)                                                                            \
    INTERPOSE(int, name, (int directory, const char *path, int flags, ...))                        \
    {                                                                                              \
        MODE_AFTER(flags, flags, mode)                                                             \
        if (!track_is_ready())                                                                     \
            return (int)syscall(SYS_openat, directory, path, flags, mode);                         \
        int fd = REAL(name)(directory, path, flags, mode);                                         \
        track_opened(fd, CALL_##name, STACK_FRAME);                                                \
        return fd;                                                                                 \
    }

OPENER_BY_PATH(open)
OPENER_BY_PATH(open64)
OPENER_AT(openat)
OPENER_AT(openat64)

/* What _FORTIFY_SOURCE calls when no mode was given. */
OPENER(__open_2, (const char *path, int flags), (path, flags))
OPENER(__open64_2, (const char *path, int flags), (path, flags))
OPENER(__openat_2, (int directory, const char *path, int flags), (directory, path, flags))
OPENER(__openat64_2, (int directory, const char *path, int flags), (directory, path, flags))

INTERPOSE(mqd_t, mq_open, (const char *name, int flags, ...))
{
    mode_t mode = 0;
    struct mq_attr *attributes = NULL;
    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        attributes = va_arg(rest, struct mq_attr *);
        va_end(rest);
    }
    mqd_t queue = REAL(mq_open)(name, flags, mode, attributes);
    track_opened(queue, CALL_mq_open, STACK_FRAME);
    return queue;
}

/* Of fcntl's commands two make a descriptor. The argument, whatever it is, is passed on as the
 * register that it comes in. */
#define FCNTL(name)                                                                                \
    INTERPOSE(int, name, (int fd, int command, ...))                                               \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, command);                                                                   \
        void *argument = va_arg(rest, void *);                                                     \
        va_end(rest);                                                                              \
        int result = REAL(name)(fd, command, argument);                                            \
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)                                      \
            track_opened(result, CALL_##name, STACK_FRAME);                                        \
        return result;                                                                             \
    }

FCNTL(fcntl)
FCNTL(fcntl64)
