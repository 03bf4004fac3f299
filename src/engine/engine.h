/* engine.h: the seam between libsnag, which the service links, and the engine, which looks at it.
 *
 * The engine (libsnag-engine.so: listener, capture, unwinding, symbols, and
 * the libraries they stand on) is loaded by dlmopen into a link-map namespace of its own,
 * with a C library of its own. So its malloc, stdio and locks are never those
 * of the service, which may be stuck in them; libunwind's _Unwind_* cannot shadow the service's;
 * and its descriptors pass by every interposer. The two sides share this
 * header and nothing else.
 *
 * Who runs what: libsnag's thread `snag` calls run() and stays in it. Service
 * threads only fill a request and wake that thread. */
#ifndef SNAG_ENGINE_ENGINE_H
#define SNAG_ENGINE_ENGINE_H

#include "leak/seam.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ENGINE_ABI 2 /* both sides come from one build; checked all the same */

/* Wakes the engine's thread: blocked there and read by signalfd, so that no
 * descriptor is shared. Always sent to that one thread. SIGSTKFLT, as no kernel and no
 * library sends it: a signalfd also takes what is pending for the whole process, and must
 * never find a signal of the service. (32, which glibc keeps for itself, does not stay
 * blocked: sigprocmask, which libunwind calls, silently leaves it out.) */
#define ENGINE_WAKE_SIGNAL SIGSTKFLT

/* A profile asked for by snag_write, or a leak check. Lives on the asking thread's stack, which
 * waits until `done` is 1 (a futex). */
struct engine_request {
    struct engine_request *next;
    const char *profile;
    int debug;
    struct leak_query *leaks; /* not NULL: this is asked, and not a profile */
    int status;               /* 0 or a negative errno */
    void *bytes;              /* an mmap of `capacity` bytes, for the asker to munmap */
    size_t length;
    size_t capacity;
    _Atomic uint32_t done;
};

/* What the monitor has to say, on its way to the service's log: the engine writes a line, counts it
 * and rings; one service thread reads it and counts that (api/voice.c). Full: the line is lost, and
 * counted. */
#define ENGINE_LINES 16
struct engine_lines {
    _Atomic uint32_t written;
    _Atomic uint32_t read;
    _Atomic uint32_t lost;
    _Atomic uint32_t bell; /* changes with every line (a futex) */
    char text[ENGINE_LINES][480];
};

/* What libsnag tells the engine. Filled before run(); `requests` and `stop`
 * are written by service threads while it runs, the rest only by the engine. */
struct engine_host {
    const char *listen;      /* checked for nothing yet; "off": serve requests only */
    const char *listen_name; /* where it came from: "SNAG_LISTEN", "snag_options.listen" */
    const char *token;       /* NULL: none */
    int signal_mode;         /* enum snag_signal_mode */
    const char *version;     /* SNAG_VERSION */

    unsigned watch_seconds;        /* between two lines of the monitor; 0: none */
    unsigned watch_period_seconds; /* in which the service's load comes round; 0: a day */
    unsigned term_seconds; /* from a SIGTERM to a dump, if the process is there still; 0: none */
    const char *auto_dump_dir; /* NULL: nothing is dumped without being asked for */
    pid_t voice_tid;           /* the thread that reads `lines`; 0: there is none */
    struct engine_lines lines;

    /* Takes a line worth logging; called before ready() only. What the service
     * logs with must not run on this thread: its descriptors mean something else here. */
    void (*log)(const char *line, void *user);
    void *user;

    /* Tables of the service's, read as any memory of it is: struct handle_root (handles/layout.h)
     * and struct label_root (labels/layout.h). */
    const void *handles;
    const void *labels;

    /* &errno of the service's C library on the thread that calls run(). The
     * engine's C library is another one exactly if it has errno elsewhere. */
    const void *service_errno;

    _Atomic(struct engine_request *) requests; /* pushed by any thread, taken whole by the engine */
    atomic_int stop;                           /* 1: leave run() */

    /* The engine's own, here so that a leak checker in a child of fork can reach what the
     * child inherits and must not touch. */
    void *engine;

    /* Set by the engine before it calls ready(). */
    char address[160]; /* what it listens on, as snag_address() */
    char error[480];   /* one line, when status is negative */
};

struct engine_api {
    int abi;
    /* Sets up, calls ready(host, status) exactly once, and serves until
     * host->stop. The calling thread must have every signal blocked and gets a descriptor
     * table of its own, for good. A negative status is told when all is closed again, and
     * run returns. One thread at a time. */
    void (*run)(struct engine_host *host, void (*ready)(struct engine_host *host, int status));
};

/* The one symbol that the engine exports. */
__attribute__((visibility("default"))) const struct engine_api *snag_engine(void);

#endif
