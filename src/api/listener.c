/* listener.c: the thread that the engine runs on.
 *
 * Service threads speak to it through two words in struct engine_host, the
 * request list and the stop flag, and wake it by one signal that it alone has
 * blocked and reads from a signalfd: no descriptor is shared, so none shows up
 * in the service. Who waits does so on a futex.
 *
 * The engine is loaded by who starts the thread. Only where the service's descriptor table is
 * full, so that the loader can open nothing, the new thread does it, with a table of its own. Not
 * always: who is called by the constructor of a library that is being loaded holds the loader's
 * lock, which that thread would wait for. So it is not waited for longer than LOAD_SECONDS. */
#include "api/listener.h"
#include "api/engine_load.h"
#include "api/log.h"
#include "api/quiet_thread.h"
#include "api/voice.h"
#include "base/at_fork.h"
#include "base/own_threads.h"
#include "engine/own_table.h"
#include "handles/handles.h"
#include "labels/labels.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)1 << 20)
#define LOAD_SECONDS 10

struct listener {
    struct engine_host host; /* first: ready() is given a pointer to it */
    struct settings settings;
    const struct engine_api *api; /* NULL: the thread is to load it */
    pthread_t thread;
    struct voice *voice;    /* NULL: it does not watch */
    pid_t pid;              /* of the process that started it */
    _Atomic pid_t tid;      /* of the thread, 0 before it runs */
    _Atomic uint32_t ready; /* 1 once `status` is set (futex) */
    int status;
    _Atomic uint32_t is_loaded; /* of a thread that loads (futex) ... */
    atomic_bool is_taken;       /* ... first the thread or who waits for it goes on, not both */
    struct listener *left_behind_before; /* when this one was made; see listener_leave_behind */
};

/* Of this process's parents, the last of them; it has the one before. */
WRITTEN_AT_FORK static struct listener *left_behind;

static _Thread_local bool engine_runs_here __attribute__((tls_model("initial-exec")));

/* The threads of the engine; one at a time. */
extern struct own_threads snag_threads_root;

__attribute__((visibility("default"))) struct own_threads snag_threads_root = {
    .magic = OWN_THREADS_MAGIC,
    .version = OWN_THREADS_VERSION,
    .size = sizeof(struct own_threads),
};

bool listener_is_caller(void)
{
    return engine_runs_here;
}

bool listener_is_thread(pid_t tid)
{
    return atomic_load(&snag_threads_root.engine) == tid ||
           atomic_load(&snag_threads_root.log) == tid;
}

static void wait_for_one(_Atomic uint32_t *word)
{
    while (atomic_load(word) != 1)
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/* The same, for SECONDS at most: false if it is 0 still. */
static bool wait_for_seconds(_Atomic uint32_t *word, time_t seconds)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += seconds;
    while (atomic_load(word) != 1) /* BITSET: until a time, not for one */
        if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, 0, &end, NULL,
                    FUTEX_BITSET_MATCH_ANY) != 0 &&
            errno == ETIMEDOUT)
            return atomic_load(word) == 1;
    return true;
}

static void set_to_one(_Atomic uint32_t *word)
{
    atomic_store(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void wake(struct listener *listener)
{
    syscall(SYS_tgkill, listener->pid, atomic_load(&listener->tid), ENGINE_WAKE_SIGNAL);
}

static void ready(struct engine_host *host, int status)
{
    struct listener *listener = (struct listener *)host;
    listener->status = status;
    set_to_one(&listener->ready);
}

static void listener_free(struct listener *listener)
{
    voice_stop(listener->voice);
    settings_free(&listener->settings);
    free(listener);
}

/* The engine, loaded by its thread. False: nobody waits for it any more. */
static bool load_here(struct listener *listener)
{
    const char *note;
    own_table_take();
    listener->status =
        engine_load(&listener->api, &note, listener->host.error, sizeof listener->host.error);
    if (atomic_exchange(&listener->is_taken, true))
        return false;
    if (listener->status == 0 && note)
        listener->host.log(note, listener->host.user);
    set_to_one(&listener->is_loaded);
    return true;
}

static void *thread_main(void *argument)
{
    struct listener *listener = argument;
    engine_runs_here = true;
    listener->host.service_errno = &errno;
    atomic_store(&listener->tid, (pid_t)syscall(SYS_gettid));
    atomic_store(&snag_threads_root.engine, atomic_load(&listener->tid));
    if (!listener->api && !load_here(listener))
        listener_free(listener);
    else if (listener->status)
        set_to_one(&listener->ready);
    else
        listener->api->run(&listener->host, ready);
    return NULL;
}

static void keep_note(const char *line, void *user)
{
    log_lines_add(user, line);
}

static struct listener *listener_new(struct settings *settings)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return NULL;
    listener->settings = *settings;
    *settings = (struct settings){ 0 };
    const struct settings *own = &listener->settings;
    listener->pid = getpid();
    listener->left_behind_before = left_behind;
    listener->host.listen = own->listen;
    listener->host.token = own->token;
    listener->host.signal_mode = (int)own->signal_mode;
    listener->host.listen_name = own->listen_name;
    listener->host.version = SNAG_VERSION;
    listener->host.watch_seconds = own->watch_seconds;
    listener->host.watch_period_seconds = own->watch_period_seconds;
    listener->host.term_seconds = own->term_seconds;
    listener->host.auto_dump_dir = own->auto_dump_dir;
    listener->host.handles = handle_root_of_process();
    listener->host.labels = label_root_of_process();
    return listener;
}

/* False: LISTENER is its thread's own now, which ends when the loader lets it. */
static bool wait_for_load(struct listener *listener)
{
    pthread_t thread = listener->thread;
    if (wait_for_seconds(&listener->is_loaded, LOAD_SECONDS) ||
        atomic_exchange(&listener->is_taken, true))
        return true;
    pthread_detach(thread);
    return false;
}

int listener_start(struct settings *settings, struct listener **result, struct log_lines *notes,
                   char *error, size_t size)
{
    const char *note;
    struct listener *listener = listener_new(settings);
    if (!listener) {
        snprintf(error, size, "no memory for the listener");
        return -ENOMEM;
    }
    int status = engine_load(&listener->api, &note, error, size);
    bool loads_there = status == -EMFILE;
    if (status && !loads_there) {
        listener_free(listener);
        return status;
    }
    if (status == 0 && note)
        log_lines_add(notes, note);
    status = 0;
    listener->host.log = keep_note;
    listener->host.user = notes;
    const struct settings *own = &listener->settings;
    if (settings_watch(own))
        status = voice_start(&listener->voice, &listener->host.lines, own->log, own->user);
    listener->host.voice_tid = voice_tid(listener->voice);
    atomic_store(&snag_threads_root.log, listener->host.voice_tid);
    if (status == 0)
        status = quiet_thread_create(&listener->thread, STACK_SIZE, thread_main, listener);
    if (status) {
        snprintf(error, size, "the listener's thread cannot be created: %s", strerror(-status));
        listener_free(listener);
        return status;
    }
    if (loads_there && !wait_for_load(listener))
        return -EMFILE; /* as ERROR says */
    wait_for_one(&listener->ready);
    if (listener->status) {
        status = listener->status;
        pthread_join(listener->thread, NULL);
        snprintf(error, size, "%s", listener->host.error);
        listener_free(listener);
        return status;
    }
    *result = listener;
    return 0;
}

void listener_stop(struct listener *listener)
{
    atomic_store(&listener->host.stop, 1);
    wake(listener);
    pthread_join(listener->thread, NULL);
    listener_free(listener);
}

void listener_leave_behind(struct listener *listener)
{
    left_behind = listener;
}

void listener_ask(struct listener *listener, struct engine_request *request)
{
    struct engine_request *first = atomic_load(&listener->host.requests);
    do
        request->next = first;
    while (!atomic_compare_exchange_weak(&listener->host.requests, &first, request));
    wake(listener);
    wait_for_one(&request->done);
}

const char *listener_address(const struct listener *listener)
{
    return listener->host.address[0] ? listener->host.address : NULL;
}

bool listener_is_mine(const struct listener *listener)
{
    return listener->pid == getpid();
}
