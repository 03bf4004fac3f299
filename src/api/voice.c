/* voice.c: lines from the engine to the service's log; see voice.h.
 *
 * One writes, one reads (engine/engine.h): a line is copied out before its place is given back. */
#include "api/voice.h"

#include "api/log.h"
#include "api/quiet_thread.h"
#include "base/own_threads.h"
#include "engine/engine.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)256 << 10) /* a logger of the service's runs on it */

struct voice {
    struct engine_lines *lines;
    void (*log)(const char *line, void *user);
    void *user;
    pthread_t thread;
    _Atomic pid_t tid; /* 0 before it runs (futex) */
    atomic_int stop;
};

static void say_lost(const struct voice *voice)
{
    char text[80];
    unsigned lost = atomic_exchange(&voice->lines->lost, 0);
    if (lost == 0)
        return;
    snprintf(text, sizeof text, "%u lines were lost: the log was too slow for them", lost);
    voice->log(text, voice->user);
}

static void say_all(const struct voice *voice)
{
    struct engine_lines *lines = voice->lines;
    char text[sizeof *lines->text];
    uint32_t read = atomic_load_explicit(&lines->read, memory_order_relaxed);
    /* acquire: the line was written before it was counted */
    while (read != atomic_load_explicit(&lines->written, memory_order_acquire)) {
        memcpy(text, lines->text[read % ENGINE_LINES], sizeof text);
        text[sizeof text - 1] = 0;
        /* release: it was copied before its place is given back */
        atomic_store_explicit(&lines->read, ++read, memory_order_release);
        voice->log(text, voice->user);
    }
    say_lost(voice);
}

static void *voice_main(void *argument)
{
    struct voice *voice = argument;
    struct engine_lines *lines = voice->lines;
    prctl(PR_SET_NAME, LOG_THREAD_NAME);
    atomic_store(&voice->tid, (pid_t)syscall(SYS_gettid));
    syscall(SYS_futex, &voice->tid, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    while (!atomic_load(&voice->stop)) {
        uint32_t bell = atomic_load(&lines->bell); /* before the look, so that no ring is missed */
        say_all(voice);
        if (!atomic_load(&voice->stop))
            syscall(SYS_futex, &lines->bell, FUTEX_WAIT_PRIVATE, bell, NULL, NULL, 0);
    }
    say_all(voice);
    return NULL;
}

int voice_start(struct voice **result, struct engine_lines *lines,
                void (*log)(const char *line, void *user), void *user)
{
    struct voice *voice = calloc(1, sizeof *voice);
    if (!voice)
        return -ENOMEM;
    voice->lines = lines;
    voice->log = log ? log : log_to_stderr;
    voice->user = user;
    int status = quiet_thread_create(&voice->thread, STACK_SIZE, voice_main, voice);
    if (status) {
        free(voice);
        return status;
    }
    while (atomic_load(&voice->tid) == 0)
        syscall(SYS_futex, &voice->tid, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    *result = voice;
    return 0;
}

pid_t voice_tid(const struct voice *voice)
{
    return voice ? atomic_load(&voice->tid) : 0;
}

void voice_stop(struct voice *voice)
{
    if (!voice)
        return;
    atomic_store(&voice->stop, 1);
    atomic_fetch_add(&voice->lines->bell, 1);
    syscall(SYS_futex, &voice->lines->bell, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    pthread_join(voice->thread, NULL);
    free(voice);
}
