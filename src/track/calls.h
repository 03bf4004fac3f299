/* calls.h: every call that libsnag-track stands before, by number.
 *
 * One list for the service's side, which records the number, and for the
 * reader, which names it. MAKES says what kind of descriptor the call gives,
 * by what /proc/PID/fd/N then leads to: a descriptor of another kind was
 * opened by somebody else, past these calls. */
#ifndef SNAG_TRACK_CALLS_H
#define SNAG_TRACK_CALLS_H

enum track_makes {
    MAKES_NOTHING, /* it only closes, or makes a handle of what there is */
    MAKES_FILE,    /* by path: anything that has one */
    MAKES_SOCKET,
    MAKES_PIPE,
    MAKES_EVENT,
    MAKES_TIMER,
    MAKES_SIGNAL,
    MAKES_INOTIFY,
    MAKES_FANOTIFY,
    MAKES_EPOLL,
    MAKES_MEMORY,
    MAKES_PROCESS,
    MAKES_ANY, /* what it is a copy of */
    MAKES_THREAD
};

/* CALL(name, makes). New ones at the end: the number is part of the layout. */
#define TRACK_CALLS(CALL)                                                                          \
    CALL(open, MAKES_FILE)                                                                         \
    CALL(open64, MAKES_FILE)                                                                       \
    CALL(openat, MAKES_FILE)                                                                       \
    CALL(openat64, MAKES_FILE)                                                                     \
    CALL(__open_2, MAKES_FILE)                                                                     \
    CALL(__open64_2, MAKES_FILE)                                                                   \
    CALL(__openat_2, MAKES_FILE)                                                                   \
    CALL(__openat64_2, MAKES_FILE)                                                                 \
    CALL(creat, MAKES_FILE)                                                                        \
    CALL(creat64, MAKES_FILE)                                                                      \
    CALL(open_by_handle_at, MAKES_FILE)                                                            \
    CALL(mkstemp, MAKES_FILE)                                                                      \
    CALL(mkstemp64, MAKES_FILE)                                                                    \
    CALL(mkostemp, MAKES_FILE)                                                                     \
    CALL(mkostemp64, MAKES_FILE)                                                                   \
    CALL(mkstemps, MAKES_FILE)                                                                     \
    CALL(mkstemps64, MAKES_FILE)                                                                   \
    CALL(mkostemps, MAKES_FILE)                                                                    \
    CALL(mkostemps64, MAKES_FILE)                                                                  \
    CALL(shm_open, MAKES_FILE)                                                                     \
    CALL(mq_open, MAKES_FILE)                                                                      \
    CALL(posix_openpt, MAKES_FILE)                                                                 \
    CALL(getpt, MAKES_FILE)                                                                        \
    CALL(openpty, MAKES_FILE)                                                                      \
    CALL(fopen, MAKES_FILE)                                                                        \
    CALL(fopen64, MAKES_FILE)                                                                      \
    CALL(freopen, MAKES_FILE)                                                                      \
    CALL(freopen64, MAKES_FILE)                                                                    \
    CALL(tmpfile, MAKES_FILE)                                                                      \
    CALL(tmpfile64, MAKES_FILE)                                                                    \
    CALL(opendir, MAKES_FILE)                                                                      \
    CALL(popen, MAKES_PIPE)                                                                        \
    CALL(pipe, MAKES_PIPE)                                                                         \
    CALL(pipe2, MAKES_PIPE)                                                                        \
    CALL(socket, MAKES_SOCKET)                                                                     \
    CALL(socketpair, MAKES_SOCKET)                                                                 \
    CALL(accept, MAKES_SOCKET)                                                                     \
    CALL(accept4, MAKES_SOCKET)                                                                    \
    CALL(recvmsg, MAKES_ANY)                                                                       \
    CALL(recvmmsg, MAKES_ANY)                                                                      \
    CALL(dup, MAKES_ANY)                                                                           \
    CALL(dup2, MAKES_ANY)                                                                          \
    CALL(dup3, MAKES_ANY)                                                                          \
    CALL(fcntl, MAKES_ANY)                                                                         \
    CALL(fcntl64, MAKES_ANY)                                                                       \
    CALL(pidfd_getfd, MAKES_ANY)                                                                   \
    CALL(eventfd, MAKES_EVENT)                                                                     \
    CALL(timerfd_create, MAKES_TIMER)                                                              \
    CALL(signalfd, MAKES_SIGNAL)                                                                   \
    CALL(inotify_init, MAKES_INOTIFY)                                                              \
    CALL(inotify_init1, MAKES_INOTIFY)                                                             \
    CALL(fanotify_init, MAKES_FANOTIFY)                                                            \
    CALL(epoll_create, MAKES_EPOLL)                                                                \
    CALL(epoll_create1, MAKES_EPOLL)                                                               \
    CALL(memfd_create, MAKES_MEMORY)                                                               \
    CALL(pidfd_open, MAKES_PROCESS)                                                                \
    CALL(close, MAKES_NOTHING)                                                                     \
    CALL(close_range, MAKES_NOTHING)                                                               \
    CALL(closefrom, MAKES_NOTHING)                                                                 \
    CALL(fclose, MAKES_NOTHING)                                                                    \
    CALL(closedir, MAKES_NOTHING)                                                                  \
    CALL(pclose, MAKES_NOTHING)                                                                    \
    CALL(mq_close, MAKES_NOTHING)                                                                  \
    CALL(pthread_create, MAKES_THREAD)                                                             \
    CALL(thrd_create, MAKES_THREAD)                                                                \
    CALL(fdopen, MAKES_NOTHING)                                                                    \
    CALL(fmemopen, MAKES_NOTHING)                                                                  \
    CALL(open_memstream, MAKES_NOTHING)                                                            \
    CALL(fopencookie, MAKES_NOTHING)                                                               \
    CALL(fdopendir, MAKES_NOTHING)                                                                 \
    CALL(pthread_join, MAKES_NOTHING)                                                              \
    CALL(pthread_tryjoin_np, MAKES_NOTHING)                                                        \
    CALL(pthread_timedjoin_np, MAKES_NOTHING)                                                      \
    CALL(pthread_clockjoin_np, MAKES_NOTHING)                                                      \
    CALL(pthread_detach, MAKES_NOTHING)                                                            \
    CALL(thrd_join, MAKES_NOTHING)                                                                 \
    CALL(thrd_detach, MAKES_NOTHING)

#define TRACK_CALL_NUMBER(name, makes) CALL_##name,
enum track_call { CALL_none, TRACK_CALLS(TRACK_CALL_NUMBER) CALL_COUNT };
#undef TRACK_CALL_NUMBER

#endif
