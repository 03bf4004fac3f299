/* snag.c: the public calls on the listener; see include/snag/snag.h.
 *
 * One lock serialises start, stop and write, so that none of them meets a
 * listener that is coming or going. snag_address takes no lock and touches no
 * listener: it reads a text that is never freed. The lock is made anew in a child of fork, where
 * the listener's thread does not exist: what the child inherited of it is left alone. */
#include "api/ask.h"
#include "api/listener.h"
#include "api/log.h"
#include "api/start.h"
#include "api/write_guard.h"
#include "base/at_fork.h"
#include "base/write_all.h"

#include <snag/snag.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

WRITTEN_AT_FORK static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
WRITTEN_AT_FORK static _Atomic(struct listener *) current; /* written under lock */

/* What snag_address says. A text is written before it is published and stays for the next
 * TEXTS starts: whoever still reads it while another thread stops and starts reads no nonsense. */
#define TEXTS 64
static char texts[TEXTS][160]; /* written under lock */
static unsigned next_text;     /* guarded by lock */
WRITTEN_AT_FORK static _Atomic(const char *) address;
static _Atomic pid_t address_of; /* the process that listens there */

static void publish_address(const struct listener *listener)
{
    const char *text = listener ? listener_address(listener) : NULL;
    if (text) {
        char *to = texts[next_text++ % TEXTS];
        snprintf(to, sizeof *texts, "%s", text);
        text = to;
    }
    atomic_store(&address_of, getpid());
    atomic_store(&address, text);
}

static void child_after_fork(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    atomic_store(&address, NULL);
    struct listener *inherited = atomic_exchange(&current, NULL);
    if (inherited)
        listener_leave_behind(inherited);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, child_after_fork);
}

/* The running listener, NULL when there is none in this process (a child made by a raw clone, past
 * the fork handlers, has none either). */
static struct listener *running(void)
{
    struct listener *listener = atomic_load(&current);
    return listener && listener_is_mine(listener) ? listener : NULL;
}

static int start_locked(struct settings *settings, struct log_lines *lines, char *error,
                        size_t size)
{
    struct listener *listener = running();
    if (listener) {
        const char *text = listener_address(listener);
        snprintf(error, size, "the listener runs already%s%s", text ? ", on " : " (off)",
                 text ? text : "");
        return -EALREADY;
    }
    int status = listener_start(settings, &listener, lines, error, size);
    if (status == 0) {
        atomic_store(&current, listener);
        publish_address(listener);
    }
    return status;
}

/* With SETTINGS, which are taken over, as they were read with STATUS and ERROR. */
static int start(struct settings *settings, int status, char *error, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    struct log_lines lines = { 0 };
    struct settings voice = { .log = settings->log, .user = settings->user };
    if (status == 0 && (strcmp(settings->listen, "off") != 0 || settings_watch(settings))) {
        if (listener_is_caller()) {
            status = -EDEADLK;
            snprintf(error, size, "snag_start was called from snag's own log callback");
        } else {
            pthread_mutex_lock(&lock);
            status = start_locked(settings, &lines, error, size);
            pthread_mutex_unlock(&lock);
        }
    }
    settings_free(settings);
    if (status)
        log_lines_add(&lines, error);
    log_lines_say(&lines, voice.log, voice.user);
    return status;
}

int snag_start(const snag_options *options)
{
    char error[512] = "";
    struct settings settings;
    int status = settings_read(options, &settings, error, sizeof error);
    return start(&settings, status, error, sizeof error);
}

int start_from(settings_variable *variable, void (*log)(const char *line, void *user))
{
    char error[512] = "";
    struct settings settings;
    snag_options options = SNAG_OPTIONS_INIT;
    options.log = log;
    int status = settings_read_from(variable, &options, &settings, error, sizeof error);
    return start(&settings, status, error, sizeof error);
}

void snag_stop(void)
{
    if (listener_is_caller())
        return; /* the listener cannot wait for its own end */
    pthread_mutex_lock(&lock);
    struct listener *listener = running();
    atomic_store(&current, NULL);
    publish_address(NULL);
    if (listener)
        listener_stop(listener);
    pthread_mutex_unlock(&lock);
}

const char *snag_address(void)
{
    const char *text = atomic_load(&address);
    return text && atomic_load(&address_of) == getpid() ? text : NULL;
}

/* Without a listener, an engine is started for this one request. */
static int ask_locked(struct engine_request *request)
{
    struct listener *listener = running();
    if (listener) {
        listener_ask(listener, request);
        return request->status;
    }
    char error[512];
    struct log_lines lines = { 0 };
    struct settings settings;
    int status = settings_without_listener(&settings);
    if (status == 0)
        status = listener_start(&settings, &listener, &lines, error, sizeof error);
    settings_free(&settings);
    if (status)
        return status;
    listener_ask(listener, request);
    listener_stop(listener);
    return request->status;
}

int engine_ask(struct engine_request *request)
{
    if (listener_is_caller())
        return -EDEADLK;
    pthread_mutex_lock(&lock);
    int status = ask_locked(request);
    pthread_mutex_unlock(&lock);
    return status;
}

int snag_write(const char *profile, int fd, int debug)
{
    if (!profile)
        return -EINVAL;
    struct engine_request request = { .profile = profile, .debug = debug };
    int status = engine_ask(&request);
    if (status == 0) {
        struct write_guard guard; /* of a log that nobody reads, -EPIPE is told and no signal */
        write_guard_begin(&guard);
        status = write_all(fd, request.bytes, request.length);
        write_guard_end(&guard);
    }
    if (request.bytes)
        munmap(request.bytes, request.capacity);
    return status;
}
