/* engine.c: the life of the engine's thread; see engine.h.
 *
 * Everything is opened in one order and closed in the reverse one: thread,
 * descriptor table, lab, loop, wake-up, desk, server. The table comes before anything that
 * opens a descriptor, the server last, so that nobody connects to what is not ready. */
#include "engine/engine.h"

#include "engine/own_table.h"
#include "engine/own_thread.h"
#include "engine/requests.h"
#include "reports/reports.h"
#include "server/server.h"
#include "symbolize/symbolize.h"
#include "watch/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PRIORITIES 3 /* usual events have the middle one; a dump has the lowest */

struct engine {
    struct engine_host *host;
    struct lab lab;
    struct event_base *base;
    int wake_fd;
    struct event *wake;
    struct report_desk *desk;
    struct watch *watch;   /* NULL: it only answers */
    struct server *server; /* NULL with "off" */
};

__attribute__((format(printf, 3, 4))) static int fail(struct engine *engine, int status,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(engine->host->error, sizeof engine->host->error, format, arguments);
    va_end(arguments);
    return status;
}

static int open_lab(struct engine *engine)
{
    symbolizer_prepare();
    int status = lab_open(&engine->lab, 0, (enum signal_mode)engine->host->signal_mode);
    if (status == -ENOMEM)
        return fail(engine, status, "no memory for the engine");
    if (status)
        return fail(engine, status, "/proc/%d cannot be read, which is where stacks are found: %s",
                    (int)getpid(), strerror(-status));
    engine->lab.handles_root = (uint64_t)(uintptr_t)engine->host->handles;
    engine->lab.labels_root = (uint64_t)(uintptr_t)engine->host->labels;
    engine->lab.target.voice_tid = engine->host->voice_tid;
    return 0;
}

/* The variables of the environment that libevent knows are the service's, not ours. */
static int open_loop(struct engine *engine)
{
    struct event_config *config = event_config_new();
    if (config) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
        engine->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (!engine->base || event_base_priority_init(engine->base, PRIORITIES) != 0)
        return fail(engine, -ENOMEM, "the event loop cannot be made: %s", strerror(errno));
    return 0;
}

static void on_wake(evutil_socket_t fd, short what, void *argument)
{
    struct engine *engine = argument;
    struct signalfd_siginfo signals[8];
    (void)what;
    /* What woke us does not matter, only that it is no longer pending. */
    while (read((int)fd, signals, sizeof signals) > 0)
        ;
    if (atomic_load(&engine->host->stop))
        event_base_loopbreak(engine->base);
    else
        requests_take(engine->host, engine->desk, &engine->lab);
    watch_woken(engine->watch);
}

static int open_wake(struct engine *engine)
{
    sigset_t wake;
    sigemptyset(&wake);
    sigaddset(&wake, ENGINE_WAKE_SIGNAL);
    engine->wake_fd = signalfd(-1, &wake, SFD_NONBLOCK | SFD_CLOEXEC);
    if (engine->wake_fd < 0)
        return fail(engine, -errno, "the listener cannot be woken: signalfd: %s", strerror(errno));
    engine->wake = event_new(engine->base, engine->wake_fd, EV_READ | EV_PERSIST, on_wake, engine);
    if (!engine->wake || event_add(engine->wake, NULL) != 0)
        return fail(engine, -ENOMEM, "no memory for the engine");
    return 0;
}

static int open_desk(struct engine *engine)
{
    engine->desk = desk_new(engine->base, &engine->lab);
    return engine->desk ? 0 : fail(engine, -ENOMEM, "no memory for the engine");
}

/* On its way to the service's log; lost where that is too slow. */
static void say(void *user, const char *line)
{
    struct engine_lines *lines = user;
    uint32_t written = atomic_load_explicit(&lines->written, memory_order_relaxed);
    /* acquire: the reader has copied what was in this place */
    if (written - atomic_load_explicit(&lines->read, memory_order_acquire) == ENGINE_LINES) {
        atomic_fetch_add(&lines->lost, 1);
        return;
    }
    snprintf(lines->text[written % ENGINE_LINES], sizeof *lines->text, "%s", line);
    /* release: the line is there before it is counted */
    atomic_store_explicit(&lines->written, written + 1, memory_order_release);
    atomic_fetch_add(&lines->bell, 1);
    syscall(SYS_futex, &lines->bell, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static int open_watch(struct engine *engine)
{
    struct engine_host *host = engine->host;
    const struct watch_options options = {
        .seconds = host->watch_seconds,
        .period_seconds = host->watch_period_seconds,
        .term_seconds = host->term_seconds,
        .wake_signal = ENGINE_WAKE_SIGNAL,
        .directory = host->auto_dump_dir,
        .say = say,
        .user = &host->lines,
    };
    if (host->watch_seconds == 0 && !host->auto_dump_dir)
        return 0;
    return watch_start(&engine->watch, engine->base, &engine->lab, engine->desk, &options,
                       host->error, sizeof host->error);
}

static int open_server(struct engine *engine)
{
    struct engine_host *host = engine->host;
    const struct server_options options = {
        .listen = host->listen,
        .listen_name = host->listen_name,
        .token = host->token,
        .version = host->version,
        .watch = engine->watch,
    };
    if (strcmp(host->listen, "off") == 0)
        return 0;
    int status = server_start(&engine->server, engine->base, engine->desk, &engine->lab, &options,
                              host->error, sizeof host->error);
    if (status == 0)
        snprintf(host->address, sizeof host->address, "%s", server_address(engine->server));
    return status;
}

static void close_all(struct engine *engine)
{
    if (engine->server)
        server_stop(engine->server);
    watch_stop(engine->watch);
    requests_cancel(engine->host);
    if (engine->desk)
        desk_free(engine->desk);
    if (engine->wake)
        event_free(engine->wake);
    if (engine->wake_fd >= 0)
        close(engine->wake_fd);
    if (engine->base) {
        /* Buffers of closed connections are freed by the loop's next turn, and only there. */
        event_base_loop(engine->base, EVLOOP_NONBLOCK);
        event_base_free(engine->base);
    }
    if (engine->lab.modules)
        lab_close(&engine->lab);
}

static int open_all(struct engine *engine)
{
    static int (*const steps[])(struct engine *) = { open_lab,  open_loop,  open_wake,
                                                     open_desk, open_watch, open_server };
    const char *note = own_table_take();
    if (note)
        engine->host->log(note, engine->host->user);
    int status = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && status == 0; i++)
        status = steps[i](engine);
    return status;
}

/* 0 when it has run until it was told to stop. */
static int live(struct engine_host *host, void (*ready)(struct engine_host *host, int status))
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        snprintf(host->error, sizeof host->error, "no memory for the engine");
        return -ENOMEM;
    }
    engine->host = host;
    engine->wake_fd = -1;
    host->engine = engine;
    int status = open_all(engine);
    if (status == 0) {
        ready(host, 0);
        event_base_loop(engine->base, EVLOOP_NO_EXIT_ON_EMPTY);
    }
    close_all(engine);
    host->engine = NULL;
    free(engine);
    return status;
}

static void run(struct engine_host *host, void (*ready)(struct engine_host *host, int status))
{
    own_thread_begin(host->service_errno);
    int status = live(host, ready);
    own_thread_end(host->service_errno);
    if (status)
        ready(host, status);
}

const struct engine_api *snag_engine(void)
{
    static const struct engine_api api = { .abi = ENGINE_ABI, .run = run };
    return &api;
}
