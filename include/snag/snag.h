/* snag.h: one line in main, and a stuck service can be looked at.
 *
 *     #include <snag/snag.h>
 *     int main(void) { snag_start(NULL); ... }
 *
 * starts a listener thread on 127.0.0.1:6060. Then, from a shell beside it:
 *
 *     go tool pprof http://localhost:6060/debug/pprof/threads
 *     curl localhost:6060/debug/threads
 *
 * A dump interrupts nobody: blocked threads are read through procfs and never
 * signalled, traced or stopped.
 *
 * Errors are returned as negative errno values. Nothing here aborts, and a
 * failure never ends the service. */
#ifndef SNAG_SNAG_H
#define SNAG_SNAG_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SNAG_API __attribute__((visibility("default")))
#else
#define SNAG_API
#endif

#define SNAG_VERSION "0.1.0"

/* How a thread that is running on a processor at the moment of a dump may be
 * asked for its stack. Blocked threads are never signalled in NEVER, nor in AUTO
 * while the kernel tells their registers, which it does not of a process that
 * has dropped its privileges by setuid: then all are asked, and the dump says so. */
typedef enum snag_signal_mode {
    SNAG_SIGNAL_AUTO = 0,  /* running threads only, by SIGURG (the default) */
    SNAG_SIGNAL_NEVER = 1, /* no signal at all: running threads are listed without a stack */
    SNAG_SIGNAL_ALWAYS = 2 /* every thread by signal: for kernels whose procfs hides registers */
} snag_signal_mode;

/* Settings for snag_start. Initialise with SNAG_OPTIONS_INIT; a zero field
 * means its default. Strings are copied before snag_start returns. Each field
 * has an environment variable, which wins over the field. */
typedef struct snag_options {
    size_t size; /* sizeof(snag_options), set by SNAG_OPTIONS_INIT */

    /* SNAG_LISTEN. Where to listen:
     *   127.0.0.1:6060        the default
     *   127.0.0.1:0           any free port
     *   127.0.0.1:6060-6079   the first free one of a range
     *   [::1]:6060            IPv6
     *   unix:/run/app.%p.sock a Unix socket, mode 0600; %p is the process id
     *   off                   no listener
     * An address off the loopback needs a token. */
    const char *listen;

    /* SNAG_TOKEN. When set, every request must bring it, as
     * "Authorization: Bearer TOKEN" or "?token=TOKEN". */
    const char *token;

    /* SNAG_WATCH_SECONDS. Seconds between two lines of the monitor, 0 to
     * 86400; 0 (the default) is off. Checked and kept; the monitor itself is not part of
     * this version. */
    unsigned watch_seconds;

    /* SNAG_SIGNAL=never|auto|always. */
    snag_signal_mode signal_mode;

    /* Receives each line snag has to say (no newline at its end), instead of
     * stderr. Called from the thread that calls snag_start, before that
     * returns, with none of snag's locks held; never from the listener thread, in
     * whose descriptor table the service's descriptors do not exist. `line` is
     * valid during the call. */
    void (*log)(const char *line, void *user);
    void *user; /* handed to log */

    /* SNAG_AUTO_DUMP_DIR. A directory for dumps that snag makes on its own.
     * Checked and kept; nothing is dumped on its own in this version. */
    const char *auto_dump_dir;
} snag_options;

#define SNAG_OPTIONS_INIT                                                                          \
    {                                                                                              \
        sizeof(snag_options), 0, 0, 0, SNAG_SIGNAL_AUTO, 0, 0, 0                                   \
    }

/* Starts the listener thread and waits until it listens.
 *
 * OPTIONS may be NULL: all defaults, still overridden by the environment.
 * Returns 0, or a negative errno after one line on stderr (or to the log
 * callback) that says what was tried, on what, and why it failed:
 *   -EALREADY       the listener runs already
 *   -EINVAL         a field or variable has a value that is not allowed
 *   -EACCES         the address is not loopback and there is no token; or the
 *                   system refuses the address to this user
 *   -EADDRINUSE     somebody listens there already
 *   -EADDRNOTAVAIL  the address is not one of this machine
 *   -ENOENT         the engine (libsnag-engine.so) was not found, or the
 *                   directory of a Unix socket does not exist
 *   -ENOTSUP        the program is linked statically: it cannot load the engine
 *   -ENOMEM, -EAGAIN and whatever else bind(2) or pthread_create(3) say.
 * With "off" it returns 0 and there is no listener.
 *
 * Any thread may call it; not from a signal handler. A child of fork() has no
 * listener and may start its own. */
SNAG_API int snag_start(const snag_options *options);

/* Closes the listener, ends its thread and frees what it held. snag_start may
 * follow. Does nothing when there is no listener. Any thread; not from a
 * signal handler. Returns when the listener's thread has ended, which is after
 * the dump it may be making. */
SNAG_API void snag_stop(void);

/* What the listener listens on: "127.0.0.1:43211", "[::1]:6060",
 * "unix:/run/app.77.sock". NULL when there is none (also in a child of fork
 * that has not started its own). The text stays valid until the next
 * snag_start or snag_stop. Any thread. */
SNAG_API const char *snag_address(void);

/* Writes the bytes that /debug/pprof/PROFILE?debug=DEBUG would answer to FD:
 * for a watchdog, an at-exit hook, a test. Works with and without a listener.
 *
 * PROFILE is "threads" (alias "goroutine"), "fds" or "threadleak" (alias
 * "goroutineleak"). DEBUG is 0 (gzip'd pprof protobuf),
 * 1 (text grouped by stack) or 2 (one block per item). The calling thread is
 * in the dump too. FD must be open for writing in blocking mode.
 * Returns 0, or a negative errno: -ENOENT for an unknown profile, -EINVAL for
 * another DEBUG, -EBADF, -EPIPE and the others of write(2), -ENOMEM.
 * Any thread; not from a signal handler. */
SNAG_API int snag_write(const char *profile, int fd, int debug);

#ifdef __cplusplus
}
#endif

#endif
