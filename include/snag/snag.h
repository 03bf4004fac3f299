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

    /* SNAG_WATCH_SECONDS. Seconds between two lines of the monitor, 0 to 86400; 0 (the default) is
     * off. Each line says how many threads, descriptors (and of how many) and handles of each
     * inventory there are, and how many more than the last time; what grows like a leak and a
     * deadlock get a line of their own, once. A second thread, `snag-log`, hands the lines to
     * `log`. */
    unsigned watch_seconds;

    /* SNAG_SIGNAL=never|auto|always. */
    snag_signal_mode signal_mode;

    /* Receives each line snag has to say (no newline at its end), instead of stderr. Called from
     * the thread that calls snag_start, before that returns, and with watch_seconds or
     * auto_dump_dir from the thread `snag-log` after that; with none of snag's locks held. It may
     * be slow: lines that find no room meanwhile are counted as lost. `line` is valid during the
     * call. */
    void (*log)(const char *line, void *user);
    void *user; /* handed to log */

    /* SNAG_AUTO_DUMP_DIR. A directory for dumps that snag makes on its own, so that a restart does
     * not destroy the only evidence: at 80 and 95 % of the descriptor limit, when something begins
     * to grow like a leak, at a deadlock, and see term_seconds. Each is a set of files
     * PROGRAM.PID.TIME.REASON.PROFILE.pb.gz (and .txt), each whole or not there at all; the newest
     * ten sets of a program are kept, and one is made at most every minute for each reason. It
     * looks every watch_seconds, or every 10 s if that is 0 (then without lines). */
    const char *auto_dump_dir;

    /* SNAG_TERM_SECONDS. With auto_dump_dir: so many seconds after a SIGTERM, if the process is
     * still there, a dump is made: what does it hang in? 0 (the default) is off. The service's own
     * handler of SIGTERM is called as before; a SIGTERM that is blocked and read (sigwait,
     * signalfd) is not seen. */
    unsigned term_seconds;
} snag_options;

#define SNAG_OPTIONS_INIT                                                                          \
    {                                                                                              \
        sizeof(snag_options), 0, 0, 0, SNAG_SIGNAL_AUTO, 0, 0, 0, 0                                \
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
 *   -ELIBBAD        the engine is of another version, or damaged
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
 * PROFILE is "threads" (alias "goroutine"), "fds", "threadleak" (alias
 * "goroutineleak"), "handles" or the name of an inventory. DEBUG is 0 (gzip'd pprof protobuf),
 * 1 (text grouped by stack) or 2 (one block per item). The calling thread is
 * in the dump too. FD must be open for writing in blocking mode.
 * Returns 0, or a negative errno: -ENOENT for an unknown profile, -EINVAL for
 * another DEBUG, -EBADF, -EPIPE and the others of write(2), -ENOMEM.
 * Any thread; not from a signal handler. */
SNAG_API int snag_write(const char *profile, int fd, int debug);

/* ---- Inventories: what is live, and who holds it ----
 *
 * An inventory lists the live handles of one kind: responses, connections,
 * transactions, buffers. Each is entered when it comes to life and taken out when it
 * ends; what stays is a leak, and its holder is known by the calling stack,
 * with age and size: /debug/handles, /debug/pprof/NAME. Adding and removing one costs a
 * fraction of a microsecond, so it is left on in production. No listener is needed.
 *
 * A handle is a pointer or an integer cast to one; it is compared, never followed, and 0 is one
 * like any other. Any thread may add it and any other remove it, before main and in exit handlers
 * too. From a signal handler the calls work unless the handler interrupted one of them
 * in the same thread: then they return -EBUSY and have done nothing. A child of fork has a copy of
 * all inventories as they were. */
typedef struct snag_profile snag_profile;

/* Makes the inventory NAME. It exists for the rest of the process: there is no call to end it, so
 * the pointer stays good. NULL with errno: EEXIST (there is one, or NAME is a profile of snag's),
 * EINVAL (NAME is not [a-zA-Z0-9._-]{1,64}), ENOMEM, ENOSPC (256 inventories), EBUSY (as above, in
 * place of -EBUSY). */
SNAG_API snag_profile *snag_profile_new(const char *name);

/* The inventory NAME, or NULL with errno ENOENT. */
SNAG_API snag_profile *snag_profile_lookup(const char *name);

/* HANDLE is live from here on, held by the calling stack, of which the SKIP innermost callers are
 * left out (0: it begins with the function that calls this). BYTES is the size of what it stands
 * for, 0 where that means nothing. 0, or
 *   -EEXIST  it is live already: counted, its first stack is kept
 *   -EINVAL  PROFILE is NULL
 *   -ENOMEM  counted as lost
 *   -EBUSY   see above. */
SNAG_API int snag_profile_add(snag_profile *profile, const void *handle, size_t bytes, int skip);

/* HANDLE is gone. 0, or
 *   -ENOENT  it was not live, as after a double close: counted, and the first 16 different stacks
 *            that did so are kept and shown
 *   -EINVAL  PROFILE is NULL
 *   -EBUSY   see above. */
SNAG_API int snag_profile_remove(snag_profile *profile, const void *handle);

/* How many handles are live now; 0 for NULL. */
SNAG_API size_t snag_profile_count(const snag_profile *profile);

/* The same in one line, for where a handle is made and where it ends:
 *
 *     SNAG_TRACK("http.responses", response);
 *     SNAG_UNTRACK("http.responses", response);
 *
 * The inventory is looked up, or made, once per place in the code. NAME is a constant. Statements
 * without a value: what goes wrong is counted, and a NAME that is not allowed is said once. */
#define SNAG_TRACK(name, handle) SNAG_TRACK_BYTES(name, handle, 0)
#define SNAG_TRACK_BYTES(name, handle, bytes)                                                      \
    do {                                                                                           \
        static snag_profile *snag_here;                                                            \
        snag_track_here(&snag_here, name, SNAG_HANDLE(handle), bytes);                             \
        SNAG_STAYS();                                                                              \
    } while (0)
#define SNAG_UNTRACK(name, handle)                                                                 \
    do {                                                                                           \
        static snag_profile *snag_here;                                                            \
        snag_untrack_here(&snag_here, name, SNAG_HANDLE(handle));                                  \
        SNAG_STAYS();                                                                              \
    } while (0)

/* For the macros above. HERE is the inventory as that place knows it, written once. A call that is
 * the last act of a function may become a jump, and the function would not be in the stack:
 * SNAG_STAYS is an act after it, which is no instruction. */
#if defined(__GNUC__)
#define SNAG_STAYS() __asm__ __volatile__("")
#else
#define SNAG_STAYS() ((void)0)
#endif
#ifdef __cplusplus
#define SNAG_HANDLE(handle) reinterpret_cast<const void *>(handle)
#else
#define SNAG_HANDLE(handle) ((const void *)(size_t)(handle))
#endif
SNAG_API void snag_track_here(snag_profile **here, const char *name, const void *handle,
                              size_t bytes);
SNAG_API void snag_untrack_here(snag_profile **here, const char *name, const void *handle);

/* ---- Labels: what a thread is working on ----
 *
 * The calling thread has KEY=VALUE from here on, in place of an earlier value: its samples in
 * threads, and the handles it adds, carry it as a pprof tag (Go's pprof.SetGoroutineLabels). Both
 * are copied. A thread has at most 16 labels of 2,000 bytes together, a key at most 64 bytes and a
 * value 256; what is longer is cut and ends in "...", what is more is left out, and the output says
 * so. A thread created by a tracked pthread_create (libsnag-track) begins with a copy of its
 * creator's labels; so does a child of fork. Nothing happens when KEY or VALUE is NULL or KEY is
 * empty. No lock is waited for and nothing is allocated by malloc. Not from a signal handler.
 *
 * Among tags, snag's own come first: a label called thread, state, syscall, wait, capture, tid,
 * inventory, age_s, handle, bytes or labels is the tag "label.KEY". */
SNAG_API void snag_label_set(const char *key, const char *value);

/* The calling thread has no label KEY any more; NULL: none at all. */
SNAG_API void snag_label_clear(const char *key);

#ifdef __cplusplus
}
#endif

#endif
